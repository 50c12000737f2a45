import { assertEquals } from "@std/assert";
import { placeOf } from "../src/place.ts";

const places: readonly (readonly [place: string, ...remotes: readonly string[]])[] = [
  ["192.0.2.1", "192.0.2.1:1883", "192.0.2.1:1", "192.0.2.1", "[::ffff:192.0.2.1]:5", "[::FFFF:C000:201]:5"],
  ["192.0.2.1", "[0:0:0:0:0:ffff:192.0.2.1]:5", "[::ffff:192.0.2.1%eth0]:5"],
  ["192.0.2.2", "192.0.2.2:1883"],
  ["0.0.0.255", "[::ffff:0:ff]:5"],
  ["2001:db8:0:1::/64", "[2001:db8:0:1::]:5", "[2001:0DB8::1:ffff:ffff:ffff:ffff]:7", "[2001:db8:0:1:2:3:4:5]:5"],
  ["2001:db8:0:2::/64", "[2001:db8:0:2::]:5", "[2001:db8::2:0:0:192.0.2.1]:5"],
  ["fe80:0:0:0::/64", "[fe80::1]:5", "[fe80::2%eth0]:5"],
  ["0:0:0:0::/64", "[::1]:5", "[::]:5", "[::fffe:192.0.2.1]:5", "[::ffff:0:c000:201]:5"],
  ["memory", "memory"],
  ["websocket", "websocket"],
  ["", ":5", ""],
  ["[]", "[]:5"],
  ["[::g]", "[::g]:5"],
  ["/tmp/a:b.sock", "/tmp/a:b.sock"],
];

for (const [place, ...remotes] of places) {
  Deno.test(`Of one place, "${place}", are ${remotes.map((remote) => `"${remote}"`).join(", ")}`, () => {
    assertEquals(remotes.map(placeOf), remotes.map(() => place));
  });
}
