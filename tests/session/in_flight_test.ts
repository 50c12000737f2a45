import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Memory } from "../../src/memory.ts";
import { Message } from "../../src/message.ts";
import { asSent, InFlight } from "../../src/session/in_flight.ts";
import { Delivery } from "../../src/session/queue.ts";
import { plainTerms } from "../../src/session/terms.ts";

const GREATEST = 65_535;

const newInFlight = () => new InFlight(new Memory(Infinity));

function delivery(topic = "t"): Delivery {
  const message = new Message({ topic, payload: new Uint8Array(), qos: 2, retain: false, client: undefined });
  return new Delivery(message, plainTerms(2, false).of(2, false));
}

/** Begins so many, and returns them. */
function begin(inFlight: InFlight, count: number): Delivery[] {
  return Array.from({ length: count }, () => {
    const begun = delivery();
    inFlight.begin(begun);
    return begun;
  });
}

const idsOf = (deliveries: readonly Delivery[]) => deliveries.map(({ packetId }) => packetId);

Deno.test("Packet identifiers begin with 1 and are given in turn: one that was freed is the last to come again", () => {
  const inFlight = newInFlight(), [first, , third] = begin(inFlight, 3);
  assertEquals([first!.packetId, third!.packetId], [1, 3]);
  inFlight.settle(first!);
  assertEquals(idsOf(begin(inFlight, 2)), [4, 5]);
});

Deno.test("After 65,535 comes 1: 0 is no packet identifier [MQTT-2.3.1-1]", () => {
  const inFlight = newInFlight(), ids: number[] = [];
  for (let i = 0; i <= GREATEST; i++) {
    const [begun] = begin(inFlight, 1);
    ids.push(begun!.packetId);
    inFlight.settle(begun!);
  }
  assertEquals(ids, [...Array.from({ length: GREATEST }, (_, i) => i + 1), 1]);
});

Deno.test("Identifiers in use are passed over, those that await a PUBCOMP too [MQTT-2.3.1-4]", () => {
  const inFlight = newInFlight(), [first, second, third] = begin(inFlight, 3);
  inFlight.release(second!);
  for (let round = 0; round < 3; round++) {
    const used = new Set<number>();
    for (let i = 0; i < GREATEST - 1; i++) {
      const [begun] = begin(inFlight, 1);
      used.add(begun!.packetId);
      inFlight.settle(begun!);
    }
    assertEquals([1, 2, 3].filter((id) => used.has(id)), []);
    assertStrictEquals(inFlight.get(1), first);
    assertStrictEquals(inFlight.get(3), third);
    assertEquals([inFlight.get(2), inFlight.isReleased(2)], [undefined, true]);
  }
});

Deno.test("All identifiers can be in use at a time but one, which is found", () => {
  const inFlight = newInFlight(), all = begin(inFlight, GREATEST);
  assertEquals(new Set(idsOf(all)).size, GREATEST);
  for (const only of [40_000, 39_999, GREATEST, 1]) {
    inFlight.settle(inFlight.get(only)!);
    assertEquals(idsOf(begin(inFlight, 1)), [only]);
  }
});

Deno.test("The oldest come first, also where identifiers have gone round since [MQTT-4.6.0-1]", () => {
  const inFlight = newInFlight(), [old] = begin(inFlight, 1);
  for (let last = 0; last < GREATEST - 10;) {
    const [begun] = begin(inFlight, 1);
    last = begun!.packetId;
    inFlight.settle(begun!);
  }
  const others = begin(inFlight, 20), ids = idsOf(others);
  assert(ids[0]! > GREATEST - 20 && ids.at(-1)! < 20, `Identifiers have not gone round: ${ids}`);
  assertEquals(inFlight.deliveries, [old, ...others]);
});

Deno.test("A new link gets everything that is unacknowledged, oldest first; what was acknowledged meanwhile is left out", () => {
  const inFlight = newInFlight(), [first, second, third, fourth] = begin(inFlight, 4);
  inFlight.restart();
  assertEquals([inFlight.behind, inFlight.underWay], [true, 0]);
  assertStrictEquals(inFlight.next(), first);
  inFlight.settle(second!);
  inFlight.release(third!);
  assertEquals([inFlight.behind, inFlight.underWay], [true, 2]);
  assertStrictEquals(inFlight.next(), fourth);
  assertEquals([inFlight.behind, inFlight.underWay, inFlight.next()], [false, 3, undefined]);
});

Deno.test("A link that is gone leaves nothing to be sent again to the next one but what that asks for", () => {
  const inFlight = newInFlight();
  begin(inFlight, 2);
  inFlight.restart();
  inFlight.stop();
  assertEquals([inFlight.behind, inFlight.underWay], [false, 2]);
});

Deno.test("Released identifiers come in the order of their PUBRECs, until their PUBCOMP", () => {
  const inFlight = newInFlight(), all = begin(inFlight, 3);
  for (const i of [2, 0, 1]) inFlight.release(all[i]!);
  assertEquals([[...inFlight.released], inFlight.underWay], [[3, 1, 2], 3]);
  assertEquals([inFlight.complete(1), inFlight.complete(1), inFlight.complete(9)], [true, false, false]);
  assertEquals([[...inFlight.released], inFlight.underWay], [[3, 2], 2]);
});

for (
  const [what, ids, sent] of [
    ["behind the end of the identifiers", [65_534, 65_535, 1, 2], [65_534, 65_535, 1, 2]],
    ["where a replay was sent first", [3, 4, 1, 2], [1, 2, 3, 4]],
    ["where a replay was sent first, at the end of the identifiers", [1, 2, 65_534, 65_535], [65_534, 65_535, 1, 2]],
    ["where one was never acknowledged, and 40,000 later ones were", [1, 40_000, 40_001], [1, 40_000, 40_001]],
    ["where there are none", [], []],
  ] as const
) {
  Deno.test(`What a store has in the order of its coming is in the order of its sending, ${what} [MQTT-4.6.0-1]`, () => {
    const deliveries = ids.map((packetId) => Object.assign(delivery(), { packetId }));
    assertEquals(idsOf(asSent(deliveries)), [...sent]);
  });
}
