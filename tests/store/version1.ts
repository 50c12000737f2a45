// A store of version 1, as that release has written it: a promise, which is never changed.
import type { Store } from "../../src/store/store.ts";
import { messageOf } from "../support/stores.ts";

/** The file as SQL. */
export const version1: string = `
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
BEGIN TRANSACTION;
CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL UNIQUE,
    expiry REAL NOT NULL,
    disconnected_at REAL
  ) STRICT;
INSERT INTO session VALUES(1,'a',1e999,NULL);
INSERT INTO session VALUES(2,'b',300.0,1700000000000.0);
CREATE TABLE subscription (
    session INTEGER NOT NULL,
    filter TEXT NOT NULL,
    qos INTEGER NOT NULL,
    no_local INTEGER NOT NULL,
    retain_as_published INTEGER NOT NULL,
    identifier INTEGER,
    PRIMARY KEY (session, filter)
  ) STRICT, WITHOUT ROWID;
INSERT INTO subscription VALUES(1,'t/#',2,1,0,7);
INSERT INTO subscription VALUES(2,'$share/g/t',1,0,1,NULL);
CREATE TABLE will (
    session INTEGER PRIMARY KEY,
    delay REAL NOT NULL,
    due_at REAL,
    message BLOB NOT NULL
  ) STRICT;
INSERT INTO will VALUES(2,60.0,1700000060000.0,X'090177097075626c697368657203627965');
CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    messages BLOB NOT NULL,
    changes BLOB NOT NULL
  ) STRICT;
INSERT INTO log VALUES(1,X'294278bcfe568080000174097075626c6973686572056c61746572',unhex('
  0103000021070000030200000203000029020303000301000315000001030900000000', char(10) || ' '));
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    last INTEGER NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    messages BLOB,
    data BLOB NOT NULL
  ) STRICT;
CREATE UNIQUE INDEX chunk_order ON chunk (session, last, first, count, bytes);
INSERT INTO chunk VALUES(1,1,6,2,4,91,X'030100',unhex('
  0100294278bcfe568020000174097075626c697368657201320101294278bcfe568030000174097075626c697368657201330102294278
  bcfe568050000174097075626c697368657201352e010307030900', char(10) || ' '));
INSERT INTO chunk VALUES(2,2,1,1,1,85,X'030100',X'31000a2473686172652f672f74');
CREATE TABLE flow (
    session INTEGER PRIMARY KEY,
    boundary INTEGER NOT NULL,
    data BLOB NOT NULL
  ) STRICT;
INSERT INTO flow VALUES(1,5,X'050200050c000000');
INSERT INTO flow VALUES(2,1,X'000007010309000304030300');
CREATE TABLE message (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
INSERT INTO message VALUES(1,unhex('
  3e4278bcfe568060000174097075626c697368657219020000003c03000a746578742f706c61696e2600016b00017608666f7220626f74
  68', char(10) || ' '));
CREATE TABLE copies (message INTEGER PRIMARY KEY, count INTEGER NOT NULL) STRICT;
INSERT INTO copies VALUES(1,2);
CREATE TABLE retained (id INTEGER PRIMARY KEY, topic TEXT NOT NULL UNIQUE, message BLOB NOT NULL) STRICT;
INSERT INTO retained VALUES(1,'r',X'2d4278bcfe568070000172097075626c6973686572046b657074');
COMMIT;
PRAGMA application_id = 1114795883;
PRAGMA user_version = 1;
`;

/** The changes that led to it; meanwhile some of them may have got other names. */
export function changesOfVersion1(store: Store): void {
  const at = 1_700_000_000_000;
  store.saveSession({ clientId: "a", expiry: Infinity, disconnectedAt: undefined });
  store.saveSession({ clientId: "b", expiry: 300, disconnectedAt: at });
  store.saveSubscription("a", "t/#", { qos: 2, noLocal: true, retainAsPublished: false, identifier: 7 });
  store.saveSubscription("b", "$share/g/t", { qos: 1, noLocal: false, retainAsPublished: true, identifier: undefined });
  store.saveWill("b", messageOf("w", "bye"), { delay: 60, dueAt: at + 60_000 });
  store.retain(messageOf("r", "kept", { retain: true }), at + 7);
  addDeliveries(store, at);
  for (const [sequence, packetId] of [[1, 11], [2, 12], [3, 13]] as const) store.sent("a", sequence, packetId);
  store.sent("b", 1, 21);
  for (const sequence of [1, 2, 4]) store.deleteDelivery("a", sequence);
  for (const packetId of [1, 2, 3]) store.addReceived("b", packetId);
  for (const packetId of [4, 3]) store.addReleased("b", packetId);
}

function addDeliveries(store: Store, at: number): void {
  for (let i = 1; i <= 5; i++) store.addDelivery("a", i, messageOf("t", `${i}`), at + i, { qos: 1, retain: false });
  const properties = { contentType: "text/plain", messageExpiryInterval: 60, userProperties: [["k", "v"]] } as const;
  const shared = messageOf("t", "for both", { qos: 2, retain: true, properties }), later = messageOf("t", "later");
  store.addDelivery("a", 6, shared, at + 6, { qos: 2, retain: true, identifiers: [7, 9] });
  store.addDelivery("b", 1, shared, at + 6, { qos: 1, retain: false, group: { name: "$share/g/t" } });
  store.addDelivery("a", 7, later, at + 8, { qos: 1, retain: false });
  store.addDelivery("b", 2, later, at + 8, { qos: 1, retain: false, identifiers: [3] });
}
