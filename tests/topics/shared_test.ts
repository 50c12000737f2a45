import { assertEquals, assertStrictEquals } from "@std/assert";
import { Message } from "../../src/message.ts";
import { type Member, parseFilter, sharedFilterFault, SharedGroup, SharedGroups } from "../../src/topics/shared.ts";
import { TopicIndex } from "../../src/topics/topic_index.ts";

const message = new Message({ topic: "t", payload: new Uint8Array(), qos: 1, retain: false, client: undefined });

/** A group, and who got its messages, in order. */
class Scene {
  readonly group = new SharedGroup("$share/g/t");
  readonly #taken: string[] = [];

  /** Adds a member, as ready as it says. */
  join(name: string, readiness = 2): { -readonly [key in keyof Member]: Member[key] } {
    const member: { -readonly [key in keyof Member]: Member[key] } = {
      readiness,
      next: () => void this.#taken.push(name),
    };
    this.group.add(member);
    return member;
  }

  /** Leaves some messages to the group; returns who got them, and how many nobody has got. */
  leave(count: number): [taken: string, left: number] {
    const left = this.group.inherit(Array(count).fill(message));
    return [this.#taken.splice(0).join(""), left];
  }

  /** Hands out some messages; returns who got them. */
  send(count: number): string {
    for (let i = 0; i < count; i++) this.group.next(message);
    return this.#taken.splice(0).join("");
  }
}

Deno.test("Members that are equally ready get messages in turn", () => {
  for (const readiness of [0, 1, 2]) {
    const scene = new Scene();
    for (const name of "abc") scene.join(name, readiness);
    assertEquals(scene.send(7), "abcabca");
  }
});

Deno.test("The readiest member gets the message: rather one that is free than one that waits, rather that than nobody", () => {
  const scene = new Scene(), a = scene.join("a", 0), b = scene.join("b", 1), c = scene.join("c", 2);
  assertEquals(scene.send(3), "ccc");
  b.readiness = 2;
  assertEquals(scene.send(4), "bcbc");
  [b.readiness, c.readiness] = [1, 0];
  assertEquals(scene.send(2), "bb");
  b.readiness = 0;
  assertEquals(scene.send(4), "cabc");
  a.readiness = 1;
  assertEquals(scene.send(2), "aa");
});

Deno.test("Who joins gets its turn, and takes nobody else's", () => {
  const scene = new Scene();
  for (const name of "ab") scene.join(name);
  assertEquals(scene.send(3), "aba");
  scene.join("c");
  assertEquals(scene.send(6), "bcabca");
});

const turns = ["before", "at", "behind"] as const;

for (const [i, where] of turns.entries()) {
  Deno.test(`Who leaves ${where} its turn takes nobody's along`, () => {
    const scene = new Scene(), members = [..."abc"].map((name) => scene.join(name));
    assertEquals(scene.send(2), "ab"); // the last one was b
    scene.group.delete(members[i]!);
    assertEquals(scene.send(4), ["cbcb", "caca", "abab"][i]);
  });
}

Deno.test("A member may leave while it takes a message, and one that has left may leave again", () => {
  const group = new SharedGroup("$share/g/t"), taken: string[] = [];
  const members = [..."ab"].map((name) => {
    const member: Member = {
      readiness: 2,
      next() {
        taken.push(name);
        group.delete(member);
      },
    };
    group.add(member);
    return member;
  });
  assertEquals([group.next(message), group.next(message), group.next(message)], [true, true, false]);
  for (const member of members) group.delete(member);
  assertEquals([taken, group.empty], [["a", "b"], true]);
});

Deno.test("A group without members takes no message", () => {
  const { group } = new Scene();
  assertEquals([group.empty, group.next(message)], [true, false]);
});

/** The groups of an index, and what of it matches topic "a/b". */
function groupsOf() {
  const index = new TopicIndex((found: SharedGroup[]) => [...found]), groups = new SharedGroups(index);
  return { groups, found: () => index.match("a/b") };
}

const member: Member = { readiness: 2, next() {} };

Deno.test("A group is found by its name and filter together, and only there", () => {
  const { groups, found } = groupsOf(), filters = ["$share/g/a/b", "$share/h/a/b", "$share/g/a/+", "$share/g/#"];
  const made = filters.map((filter) => groups.get(filter)!);
  assertEquals(new Set(made).size, 4);
  for (const [i, filter] of filters.entries()) assertStrictEquals(groups.get(filter), made[i]);
  assertEquals(new Set(found()), new Set(made));
});

Deno.test("A filter that is not shared has no group", () => {
  const { groups, found } = groupsOf();
  for (const filter of ["a/b", "#", "$share", "$sharex/g/a/b", "$SHARE/g/a/b", "/$share/g/a/b"]) {
    assertEquals(groups.get(filter), undefined);
  }
  assertEquals(found(), []);
});

Deno.test("A group goes out of the index with its last member, and comes back with the next one", () => {
  const { groups, found } = groupsOf(), filter = "$share/g/a/+", other = { ...member };
  const first = groups.get(filter)!;
  first.add(member);
  first.add(other);
  groups.leave(filter, member);
  assertEquals(found(), [first]);
  groups.leave(filter, other);
  groups.leave(filter, other);
  assertEquals([found(), first.empty], [[], true]);
  const second = groups.get(filter)!;
  second.add(member);
  assertEquals([found(), second === first], [[second], false]);
});

Deno.test("Leaving a group leaves others of the same filter alone", () => {
  const { groups, found } = groupsOf(), stays = groups.get("$share/h/a/b")!;
  stays.add(member);
  groups.get("$share/g/a/b")!.add(member);
  groups.leave("$share/g/a/b", member);
  groups.leave("$share/never/a/b", member);
  assertEquals(found(), [stays]);
});

const noName = "Name of a shared subscription is empty: it needs at least one character";
const noFilter = "Topic filter is empty: it needs at least one character";
const wildcard = (name: string) => `Name of a shared subscription "${name}" holds "/", "+" or "#"`;

const filters:
  readonly (readonly [filter: string, group: string | undefined, rest: string, fault: string | undefined])[] = [
    ["a/+", undefined, "a/+", undefined],
    ["a/#/b", undefined, "a/#/b", 'Topic filter "a/#/b" has "#" before its last level'],
    ["$share", undefined, "$share", undefined],
    ["$sharename/a", undefined, "$sharename/a", undefined],
    ["$share/g/a", "g", "a", undefined],
    ["$share/g/a/+/#", "g", "a/+/#", undefined],
    ["$share/g//a", "g", "/a", undefined],
    ["$share/g//", "g", "/", undefined],
    ["$share/$share/$share/x/y", "$share", "$share/x/y", undefined],
    ["$share/ü 1/$SYS/#", "ü 1", "$SYS/#", undefined],
    ["$share//a", "", "a", noName],
    ["$share/", "", "", noName],
    ["$share/g", "g", "", noFilter],
    ["$share/g/", "g", "", noFilter],
    ["$share/+/a", "+", "a", wildcard("+")],
    ["$share/#", "#", "", wildcard("#")],
    ["$share/g#/a", "g#", "a", wildcard("g#")],
    ["$share/g/a/#/b", "g", "a/#/b", 'Topic filter "a/#/b" has "#" before its last level'],
  ];

for (const [filter, group, rest, fault] of filters) {
  Deno.test(`${filter} is ${fault ? "refused" : "taken"} [MQTT5-4.8.2-1] [MQTT5-4.8.2-2]`, () => {
    assertEquals(parseFilter(filter), { group, filter: rest });
    assertEquals(sharedFilterFault(filter), fault);
  });
}

Deno.test("What a member leaves goes to the others in turn, to the readiest first, as long as each is so ready and has room", () => {
  const scene = new Scene(), left: Record<string, number> = { a: 2, b: 3, c: 2, d: 9 };
  const rooms = (name: string, readiness: number, until: number) => {
    const member = scene.join(name, readiness), { next } = member;
    member.hasRoom = () => left[name]! > 0;
    member.next = (message) => {
      if (--left[name]! <= until) member.readiness = 1;
      next(message);
    };
  };
  rooms("a", 0, 0);
  rooms("b", 2, 1); // waits after two of them, and has room for one more
  rooms("c", 1, 0);
  scene.join("d", 0).hasRoom = () => false;
  assertEquals(scene.leave(10), ["bbbccaa", 3]);
  assertEquals(scene.leave(10), ["", 10]);
});

Deno.test("Who stays gets what others leave as often as the others that stay", () => {
  const scene = new Scene();
  for (const name of "abc") scene.join(name);
  assertEquals(scene.leave(4), ["abca", 0]);
  assertEquals([scene.leave(1), scene.leave(1), scene.leave(1)], [["b", 0], ["c", 0], ["a", 0]]);
  assertEquals(new Scene().leave(3), ["", 3]);
});

Deno.test("However many members are full, and whatever one leaves, they are asked no more than so often", () => {
  const scene = new Scene();
  let asked = 0;
  for (let i = 0; i < 1000; i++) scene.join("x", i % 3).hasRoom = () => (asked++, false);
  assertEquals(scene.leave(100_000), ["", 100_000]);
  assertEquals(asked, 30_000);
});
