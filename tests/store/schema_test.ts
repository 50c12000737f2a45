import { assertEquals, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { MemoryStore } from "../../src/store/memory.ts";
import { migrate, migrations } from "../../src/store/schema.ts";
import { openStore } from "../../src/store/sqlite.ts";
import { contentOf, temporaryFolder } from "../support/stores.ts";
import { changesOfVersion1, version1 } from "./version1.ts";

/** A file of version 1. */
function fileOfVersion1(folder: string): string {
  const path = `${folder}/brook.db`;
  using database = new DatabaseSync(path);
  database.exec(version1);
  return path;
}

/** What a file consists of: its version, and the SQL of its tables. */
function schemaOf(path: string): unknown {
  using database = new DatabaseSync(path);
  const tables = database.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").all();
  return [
    database.prepare("PRAGMA user_version").get()!.user_version,
    tables.map(({ sql }) => String(sql).replace(/\s+/g, " ")),
  ];
}

Deno.test("A file of version 1 is understood, and is then like a new one", () => {
  using folder = temporaryFolder();
  const path = fileOfVersion1(folder.path);
  const memory = new MemoryStore();
  changesOfVersion1(memory);
  memory.commit();
  const store = openStore(path);
  assertEquals(contentOf(store), contentOf(memory));
  store.close();
  openStore(`${path}.new`).close();
  assertEquals(schemaOf(path), schemaOf(`${path}.new`));
});

Deno.test("Steps to a later version are taken once, in order, and keep what is there", () => {
  using folder = temporaryFolder();
  const path = fileOfVersion1(folder.path);
  using database = new DatabaseSync(path);
  const steps = [...migrations, "ALTER TABLE session ADD COLUMN colour TEXT DEFAULT 'red'; CREATE TABLE x (y)"];
  migrate(database, steps);
  migrate(database, [...steps, "UPDATE session SET colour = 'blue' WHERE id = 2"]);
  migrate(database, [...steps, "UPDATE session SET colour = 'blue' WHERE id = 2"]);
  const rows = database.prepare("SELECT client_id, colour FROM session").all();
  assertEquals(rows.map(({ client_id, colour }) => [client_id, colour]), [["a", "red"], ["b", "blue"]]);
  assertEquals(database.prepare("PRAGMA user_version").get()!.user_version, steps.length + 1);
});

Deno.test("A step that fails leaves the file as it was", () => {
  using folder = temporaryFolder();
  const path = fileOfVersion1(folder.path);
  const before = schemaOf(path);
  using database = new DatabaseSync(path);
  assertThrows(
    () => migrate(database, [...migrations, "CREATE TABLE x (y)", "UPDATE nothing SET x = 1"]),
    Error,
    "nothing",
  );
  database.close();
  assertEquals(schemaOf(path), before);
});
