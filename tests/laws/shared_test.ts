// For random groups, however their members come and go: a message goes to one member, one of the readiest; and while nothing changes,
// members that are equally ready get equally many.
import { assert, assertEquals } from "@std/assert";
import fc from "npm:fast-check@^4";
import { Message } from "../../src/message.ts";
import { type Member, SharedGroup } from "../../src/topics/shared.ts";

const message = new Message({ topic: "t", payload: new Uint8Array(), qos: 1, retain: false, client: undefined });

class Counter implements Member {
  taken = 0;

  constructor(readonly readiness: number) {}

  next(): void {
    this.taken++;
  }
}

/** Who joins (a readiness), who leaves (a position), or how many rounds of messages are sent. */
const step = fc.oneof(
  { arbitrary: fc.record({ join: fc.constantFrom(0, 1, 2, 2) }), weight: 3 },
  fc.record({ leave: fc.nat(5) }),
  fc.record({ odd: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ rounds: fc.integer({ min: 1, max: 4 }) }),
);

Deno.test("Law: a shared message goes to one of the readiest members, and in the long run to all of them alike", () => {
  let rounds = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const group = new SharedGroup("$share/g/t"), members: Counter[] = [];
      const send = (count: number) => {
        const before = members.map(({ taken }) => taken);
        for (let i = 0; i < count; i++) assertEquals(group.next(message), members.length > 0);
        return members.map(({ taken }, i) => taken - before[i]!);
      };
      for (const step of steps) {
        const best = Math.max(...members.map(({ readiness }) => readiness));
        const preferred = members.filter(({ readiness }) => readiness === best).length;
        if ("join" in step) {
          const member = new Counter(step.join);
          members.push(member);
          group.add(member);
        } else if ("leave" in step) {
          for (const member of members.splice(step.leave, 1)) group.delete(member);
        } else if ("odd" in step) {
          const sum = send(step.odd).reduce((sum, count) => sum + count, 0);
          assertEquals(sum, members.length > 0 ? step.odd : 0);
        } else {
          const wanted = members.map(({ readiness }) => readiness === best ? step.rounds : 0);
          assertEquals(send(step.rounds * preferred), wanted);
          if (preferred > 1) rounds++;
        }
      }
    }),
    { numRuns: 1000 },
  );
  assert(rounds > 100, `Only ${rounds} times there was a choice`);
});
