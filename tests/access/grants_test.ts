import { assertEquals } from "@std/assert";
import type { ClientInfo, Credentials } from "../../src/access/access.ts";
import { Grants } from "../../src/access/grants.ts";

const credentials = (clientId: string): Credentials => ({
  clientId,
  username: "u",
  password: undefined,
  passwordBytes: undefined,
  remote: "192.0.2.1:1",
});

const client = (id: string): ClientInfo => ({ id, username: "u", remote: "192.0.2.1:1" });

Deno.test("A grant belongs to the connection that asks first, for good", () => {
  const grants = new Grants<string>(), first = client("a"), second = client("a");
  grants.add(credentials("a"), "one");
  assertEquals([grants.of(first), grants.of(first), grants.of(second)], ["one", "one", undefined]);
  grants.add(credentials("a"), "two");
  assertEquals([grants.of(first), grants.of(second)], ["one", "two"]);
});

Deno.test("Names can't be put together to those of somebody else", () => {
  const grants = new Grants<string>();
  grants.add({ ...credentials("a"), username: undefined }, "one");
  for (const username of ["", "undefined", "null", '"'] as const) {
    assertEquals(grants.of({ ...client("a"), username }), undefined);
  }
});

Deno.test("Grants of connections that never ask for anything are bounded: the oldest is forgotten", () => {
  const grants = new Grants<number>(), held = client("held");
  grants.add(credentials("held"), -1);
  assertEquals(grants.of(held), -1);
  for (let i = 0; i <= 100_000; i++) grants.add(credentials(`${i}`), i);
  assertEquals([grants.of(client("0")), grants.of(client("1")), grants.of(held)], [undefined, 1, -1]);
});
