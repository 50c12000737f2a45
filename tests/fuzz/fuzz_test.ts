// A short run of the fuzzer, of seeds that are always the same and of one that is new each time, and every input that it has found
// before. `deno task fuzz` runs it for longer.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { Campaign, check, type Finding, targets } from "./campaign.ts";
import { corpus, reportOf } from "./fuzz.ts";
import { type Input, parseInput, printInput, streamsOf } from "./input.ts";
import { minimised } from "./minimise.ts";
import { changed, inputOf, newPlan } from "./plan.ts";
import { Random } from "./random.ts";

const fresh = crypto.getRandomValues(new Uint32Array(1))[0]!;

for (const [seed, runs] of [[1, 150], [2, 150], [fresh, 300]] as const) {
  Deno.test(`Fuzz: ${runs} runs of ${seed === fresh ? "a new seed" : "the seed"} ${seed} find nothing wrong`, async () => {
    const campaign = new Campaign(seed, targets);
    while (campaign.runs < runs) {
      const finding = await campaign.run();
      if (!finding) continue;
      const small = await minimised(finding, 300);
      throw new Error(reportOf(small, `run ${campaign.runs} of seed ${seed}`), { cause: finding.error });
    }
    assert(campaign.seen > runs, `Only ${campaign.seen} things were seen`);
  });
}

for (const { name } of Deno.readDirSync(corpus)) {
  Deno.test(`Fuzz: nothing is wrong with corpus/${name}`, async () => {
    const input = parseInput(Deno.readTextFileSync(new URL(name, corpus)));
    for (const target of targets) await check(input, target);
  });
}

Deno.test("Fuzz: a seed repeats its choices, and another one makes others", async () => {
  const seen = async (seed: number) => {
    const campaign = new Campaign(seed, ["codec"]);
    for (let i = 0; i < 20; i++) assertEquals(await campaign.run(), undefined);
    return campaign.seen;
  };
  assertEquals(await seen(1), await seen(1));
  const choices = (seed: number) => JSON.stringify(newPlan(new Random(seed)));
  assertEquals(choices(1), choices(1));
  assert(choices(1) !== choices(2));
});

Deno.test("Fuzz: an input that was written is read as the same", () => {
  const random = new Random(3), plan = newPlan(random);
  for (let i = 0; i < 50; i++) {
    const input = inputOf(changed(random, newPlan(random), plan));
    assertEquals(parseInput(`# A comment\n${printInput(input)}`), input);
  }
});

Deno.test("Fuzz: what is no input is refused", () => {
  for (const text of ["", "client tight", "broker wide", "broker\n1 sends 00", "broker\none end", "broker\npass"]) {
    assertThrows(() => parseInput(text), SyntaxError);
  }
});

Deno.test("Fuzz: an input is made as small as what goes wrong with it", async () => {
  const input = parseInput(`broker tight hooks
1 send c0 00 &
2 send 10 0d 00 04 4d 51 54 54 04 02 00 00 00 01 61 c0 00 30 08 00 01 61 01 02 03 04 05
pass 30
2 send c0 00
2 end`);
  const error = new Error("Client 2 has sent a PUBLISH and, at some time, a 4");
  const find = (input: Input): Promise<Finding | undefined> => {
    const said = Buffer.concat(streamsOf(input).get(2) ?? []);
    return Promise.resolve(said.includes(0x30) && said.includes(4) ? { target: "codec", input, error } : undefined);
  };
  const { input: small } = await minimised((await find(input))!, 2000, find);
  assertEquals(printInput(small), "broker\n2 send 30 01 04\n");
});
