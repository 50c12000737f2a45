import { assertEquals } from "@std/assert";
import { type Refusal, refusal } from "../../src/access/access.ts";

const refused: Refusal = { reason: "not-authorized" };
const moved: Refusal = { reason: "server-moved", message: "This one closes", serverReference: "other.example" };

const answers: readonly (readonly [answer: unknown, refused: Refusal | undefined])[] = [
  [true, undefined],
  [false, refused],
  ["banned", { reason: "banned" }],
  ["quota-exceeded", { reason: "quota-exceeded" }],
  ["no such reason", refused],
  ["constructor", refused],
  [{ reason: "banned" }, { reason: "banned" }],
  [moved, moved],
  [{ reason: "no such reason", message: "No" }, refused],
  [{ message: "No" }, refused],
  ...[undefined, null, 0, 1, "", "true", {}, []].map((answer) => [answer, refused] as const),
];

for (const [answer, refused] of answers) {
  Deno.test(`A hook that answers ${Deno.inspect(answer)} ${refused ? `refuses: ${refused.reason}` : "permits"}`, () => {
    assertEquals(refusal(answer), refused);
  });
}
