import { assert, assertEquals, assertGreater, assertLess, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { migrations } from "../../src/store/schema.ts";
import { openStore, SqliteFile } from "../../src/store/sqlite.ts";
import { StoreError, type StoreFault } from "../../src/store/store.ts";
import { storeSuite } from "../suites/store.ts";
import { SqliteScene } from "../support/store_scenes.ts";
import {
  add,
  atLeastOnce,
  contentOf,
  deliveriesOf,
  messageOf,
  saveSessions,
  temporaryFolder,
} from "../support/stores.ts";

storeSuite("SQLite", () => new SqliteScene());
storeSuite("SQLite without a log", () => new SqliteScene(0));

/** Makes a file by SQL. */
function makeDatabase(path: string, sql: string): void {
  using database = new DatabaseSync(path);
  database.exec(sql);
}

/** Asserts that a file can't be opened, for this reason, and is left as it is. */
function assertNotOpened(path: string, kind: StoreFault, message: string): void {
  const before = Deno.readFileSync(path), error = assertThrows(() => openStore(path), StoreError);
  assertEquals([error.kind, error.message], [kind, `Store "${path}" ${message}`]);
  assertEquals(Deno.readFileSync(path), before);
}

Deno.test("A file that was closed holds everything by itself, and is opened again", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/brook.db`, store = openStore(path);
  saveSessions(store, "a");
  add(store, 1, 2);
  store.close();
  store.close();
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["brook.db"]);
  const again = openStore(path);
  assertEquals(deliveriesOf(again, "a"), ["1:0 1", "2:0 2"]);
  again.close();
});

Deno.test("A store that was closed says so", () => {
  using folder = temporaryFolder();
  const store = openStore(`${folder.path}/brook.db`);
  store.close();
  saveSessions(store, "a");
  const error = assertThrows(() => store.commit(), StoreError, "can't be used: database is not open");
  assertEquals(error.kind, "unavailable");
});

Deno.test("A message that goes to 1,000 sessions is written once, until the last of them has taken it", () => {
  for (const longestLog of [0, undefined]) {
    using scene = new SqliteScene(longestLog);
    const clientIds = Array.from({ length: 1000 }, (_, i) => `client-${i}`);
    saveSessions(scene.store, ...clientIds);
    scene.store.commit();
    const size = Deno.statSync(`${scene.path}-wal`).size, message = messageOf("t", new Uint8Array(10_000));
    for (const clientId of clientIds) scene.store.addDelivery(clientId, 1, message, 1, atLeastOnce);
    scene.store.commit();
    assertLess(Deno.statSync(`${scene.path}-wal`).size - size, 150_000);
    scene.crash();
    assertEquals(scene.rows, { session: 1000, chunk: 1000, message: 1, copies: 1 });
    for (const clientId of clientIds.slice(0, 998)) scene.store.deleteDelivery(clientId, 1);
    scene.store.commit();
    scene.crash();
    assertEquals(scene.rows, { session: 1000, chunk: 2, message: 1, copies: 1 });
    scene.store.deleteSession("client-998");
    scene.store.deleteDelivery("client-999", 1);
    scene.store.commit();
    scene.crash();
    assertEquals(scene.rows, { session: 999 });
  }
});

Deno.test("A turn's changes of deliveries are one row, and so is a retained message; nothing is left of what is over", () => {
  using scene = new SqliteScene();
  saveSessions(scene.store, "a", "b");
  for (let sequence = 1; sequence <= 200; sequence++) {
    for (const clientId of ["a", "b"]) {
      scene.store.addDelivery(clientId, sequence, messageOf("t"), 1, atLeastOnce);
      scene.store.sent(clientId, sequence, sequence);
    }
    scene.store.retain(messageOf("t", String(sequence)), 1);
  }
  scene.store.commit();
  assertEquals(scene.rows, { session: 2, log: 1, retained: 1 });
  scene.crash();
  assertEquals(scene.rows, { session: 2, chunk: 2, flow: 2, retained: 1 });
  for (let sequence = 1; sequence <= 200; sequence++) scene.store.deleteDelivery("a", sequence);
  scene.store.deleteRetained("t");
  scene.store.commit();
  scene.crash();
  assertEquals(scene.rows, { session: 2, chunk: 1, flow: 1 });
});

Deno.test("A log that has become long goes to the tables as far as something of it is left", () => {
  using scene = new SqliteScene();
  saveSessions(scene.store, "a");
  const payload = new Uint8Array(100_000);
  for (let sequence = 1; sequence <= 100; sequence++) {
    scene.store.addDelivery("a", sequence, messageOf("t", payload), 1, atLeastOnce);
    scene.store.commit();
    if (sequence % 50 > 0) scene.store.deleteDelivery("a", sequence);
    const { log = 0, chunk = 0 } = scene.rows;
    assert(log <= 10 && chunk <= 3, `There are ${log} rows in the log, and ${chunk} chunks`);
  }
  assertEquals(deliveriesOf(scene.store).map((delivery) => delivery.slice(0, 5)), ["50:0 ", "100:0"]);
});

Deno.test("What is over before its commit never reaches the file", () => {
  using scene = new SqliteScene();
  saveSessions(scene.store, "a");
  scene.store.commit();
  const sizes = () => ["", "-wal"].map((end) => Deno.statSync(scene.path + end).size), before = sizes();
  for (let sequence = 1; sequence <= 1000; sequence++) {
    add(scene.store, sequence);
    scene.store.sent("a", sequence, sequence);
    scene.store.deleteDelivery("a", sequence);
  }
  assert(scene.store.urgent);
  scene.store.commit();
  assertEquals(sizes(), before);
});

Deno.test("A message that is never acknowledged does not keep those behind it in the file", () => {
  using scene = new SqliteScene(0);
  saveSessions(scene.store, "a");
  add(scene.store, 1, 2);
  for (let sequence = 3; sequence <= 1000; sequence++) {
    add(scene.store, sequence);
    scene.store.sent("a", sequence, sequence);
    scene.store.commit();
    scene.store.deleteDelivery("a", sequence - 1);
  }
  scene.store.commit();
  assertEquals(scene.rows, { session: 1, chunk: 2, flow: 1 });
});

Deno.test("A file gives room back that is not needed any more", () => {
  using scene = new SqliteScene();
  saveSessions(scene.store, "a", "b");
  const fill = (sequence: number) =>
    scene.store.addDelivery("a", sequence, messageOf("t", new Uint8Array(100_000)), 1, atLeastOnce);
  for (let sequence = 1; sequence <= 300; sequence++) fill(sequence);
  scene.store.commit();
  scene.file.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const size = Deno.statSync(scene.path).size;
  assertGreater(size, 30_000_000);
  scene.store.deleteSession("a");
  for (let i = 0; i < 5000; i++) {
    scene.store.retain(messageOf("t", String(i)), 1);
    scene.store.commit();
  }
  scene.file.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  assertLess(Deno.statSync(scene.path).size, size - 15_000_000);
});

Deno.test("Durability is how often SQLite waits for the disk: at each commit, or only when the log of its own is full", () => {
  using folder = temporaryFolder();
  for (const [durability, synchronous] of [["full", 2], ["normal", 1]] as const) {
    const file = new SqliteFile(`${folder.path}/${durability}.db`);
    file.start(durability);
    const pragmas = ["synchronous", "journal_mode"].map((name) => file.database.prepare(`PRAGMA ${name}`).get()![name]);
    assertEquals(pragmas, [synchronous, "wal"]);
    file.close();
  }
  const options = { durability: "off" as "full" };
  assertThrows(
    () => openStore(`${folder.path}/brook.db`, options),
    TypeError,
    'Durability is "off", not "full" or "normal"',
  );
});

Deno.test("What throws in a transaction leaves nothing of it behind", () => {
  using scene = new SqliteScene();
  const { database } = scene.file, insert = "INSERT INTO message VALUES (1, x'00')";
  const message = assertThrows(() =>
    scene.file.transaction(() => {
      database.exec(insert);
      database.exec(insert);
    }), StoreError).message;
  assertEquals(message, `Store "${scene.path}" can't be used: UNIQUE constraint failed: message.id`);
  assertEquals([database.isTransaction, scene.rows], [false, {}]);
});

Deno.test("A store in a folder that is not there can't be opened", () => {
  const error = assertThrows(
    () => openStore("/nowhere/brook.db"),
    StoreError,
    'Store "/nowhere/brook.db" can\'t be used',
  );
  assertEquals(error.kind, "unavailable");
});

Deno.test("A file that is no database is not opened, and not changed", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/brook.db`;
  Deno.writeTextFileSync(path, "Dear diary\n".repeat(1000));
  assertNotOpened(path, "corrupt", "is not a database");
});

Deno.test("The database of another program is not opened, and not changed", () => {
  using folder = temporaryFolder();
  for (const [i, sql] of ["CREATE TABLE mine (x)", "PRAGMA user_version = 1", "PRAGMA application_id = 7"].entries()) {
    const path = `${folder.path}/${i}.db`;
    makeDatabase(path, sql);
    assertNotOpened(path, "foreign", "is a database of another program");
  }
});

Deno.test("The file of a later release is not opened, and not changed", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/brook.db`, next = migrations.length + 1;
  openStore(path).close();
  makeDatabase(path, `PRAGMA user_version = ${next}`);
  assertNotOpened(path, "later-version", `has version ${next}: this release knows up to ${migrations.length}`);
});

/** Makes a file with some content, and closes it. */
function makeStore(path: string): void {
  const store = openStore(path), shared = messageOf("t", new Uint8Array(1000));
  saveSessions(store, "a", "b");
  for (const clientId of ["a", "b"]) store.addDelivery(clientId, 1, shared, 1, atLeastOnce);
  for (let sequence = 2; sequence <= 100; sequence++) {
    add(store, sequence);
    if (sequence % 2) store.commit();
  }
  store.sent("a", 2, 1);
  store.retain(messageOf("t", new Uint8Array(50_000)), 1);
  store.close();
}

Deno.test("A file that was cut off is not opened", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/brook.db`;
  makeStore(path);
  for (const size of [Deno.statSync(path).size - 8192, 8192, 5000]) {
    Deno.truncateSync(path, size);
    assertNotOpened(path, "corrupt", "is damaged");
  }
});

/** Damage, and whether the log lies in the tables before. */
const damages: readonly (readonly [sql: string, moved: boolean])[] = [
  ["UPDATE log SET messages = x'2d42'", false],
  ["UPDATE log SET changes = x'0101'", false],
  ["UPDATE chunk SET data = x'0101'", true],
  ["UPDATE flow SET data = x'0101'", true],
  ["DELETE FROM message", true],
  ["UPDATE retained SET message = x'2d42'", true],
];

Deno.test("Damage inside a file is found when that is read, and named", () => {
  for (const [damage, moved] of damages) {
    using folder = temporaryFolder();
    const path = `${folder.path}/brook.db`;
    makeStore(path);
    if (moved) openStore(path).close();
    makeDatabase(path, damage);
    const error = assertThrows(
      () => {
        const store = openStore(path);
        using _open = { [Symbol.dispose]: () => store.close() };
        contentOf(store);
      },
      StoreError,
      `Store "${path}" is damaged`,
    );
    assertEquals(error.kind, "corrupt");
  }
});
