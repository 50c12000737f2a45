import { assertEquals } from "@std/assert";
import { refusal } from "../../src/access/access.ts";

const answers: readonly (readonly [answer: unknown, refused: ReturnType<typeof refusal>])[] = [
  [true, undefined],
  [false, "not-authorized"],
  ["banned", "banned"],
  ["quota-exceeded", "quota-exceeded"],
  ["no such reason", "not-authorized"],
  ["constructor", "not-authorized"],
  ...[undefined, null, 0, 1, "", "true", {}, []].map((answer) => [answer, "not-authorized"] as const),
];

for (const [answer, refused] of answers) {
  Deno.test(`A hook that answers ${Deno.inspect(answer)} ${refused ? `refuses: ${refused}` : "permits"}`, () => {
    assertEquals(refusal(answer), refused);
  });
}
