// A message that was received in the largest packet that there can be, for a client that would get it in a larger one: with properties
// that are the broker's to add.
import { assertEquals } from "@std/assert";
import { createBroker, Message, rx } from "../../mod.ts";
import { connected } from "../support/client.ts";
import { assertDropped, dropsOf } from "../support/losses.ts";

/** As if its payload had nearly 256 MiB: nobody has to come so far as to copy it. */
class Huge extends Message {
  override get size(): number {
    return 268_435_455 - 2 - this.topic.length;
  }
}

const routing = [rx.map((message: Message) => message.text() === "huge" ? new Huge(message) : message)];

for (const qos of [0, 1, 2] as const) {
  Deno.test(`A PUBLISH at QoS ${qos} that would be larger than any packet can be is dropped, and the next ones come`, async () => {
    await using broker = createBroker({ routing });
    const drops = dropsOf(broker);
    await using client = await connected(broker, "c", { protocolVersion: 5, properties: { topicAliasMaximum: 10 } });
    await client.subscribe("t", qos);
    for (const text of ["1", "huge", "2", "3"]) await broker.publish("t", text, { qos });
    const aliases = [];
    for (const payload of ["1", "2", "3"]) {
      const { topic, properties } = await client.expect({ cmd: "publish", payload });
      aliases.push([topic, properties?.topicAlias]);
    }
    await client.expectNothing();
    assertEquals(aliases, [["t", undefined], ["t", undefined], ["t", 1]]); // none that would have been in the one that is dropped
    assertEquals(drops, ["c t packet-too-large*1"]);
    assertDropped(broker, { "packet-too-large": 1 });
  });
}
