// The page as different people use it: at first sight, by keys alone, on a phone, in the dark, and with much to show.
import { assert, assertEquals } from "@std/assert";
import axe from "npm:axe-core@^4.14.1";
import { connected } from "../support/client.ts";
import { denoRun } from "../support/process.ts";
import { inBrowser, type Page, Scene, Viewer } from "./browser.ts";

const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

Deno.test({
  name: "The line at the start names the page, which is enough to publish and to subscribe",
  ...inBrowser,
  async fn() {
    await using broker = denoRun("--allow-net", "mod.ts", "--port", "0", "--http", "0");
    const [url] = /http:\S+$/.exec(await broker.output.take()) ?? [];
    await using viewer = await Viewer.of(url!);
    const page = await viewer.page(), strange: string[] = [];
    page.on("request", (request) => request.url().startsWith(url!) || strange.push(request.url()));
    await page.reload();
    await page.getByText('Nothing has come yet on "#"').waitFor();
    await page.getByLabel("Topic", { exact: true }).fill("home/lamp");
    await page.getByLabel("Message", { exact: true }).fill("on");
    await page.getByRole("button", { name: "Publish" }).click();
    await page.locator("#tree .item", { hasText: "on" }).waitFor();
    assertEquals([strange, viewer.complaints], [[], []]); // it needs nobody else
  },
});

Deno.test({
  name: "By keys alone a message is published, found in the tree, and its losses are asked for",
  ...inBrowser,
  async fn() {
    await using scene = await Scene.open();
    const page = await scene.page(), { keyboard } = page;
    const tabTo = async (selector: string) => {
      for (let i = 0; i < 30 && !await page.locator(`${selector}:focus`).count(); i++) await keyboard.press("Tab");
    };
    await tabTo("#topic");
    await keyboard.type("home/hall/lamp");
    await tabTo("#payload");
    await keyboard.type("on");
    await tabTo("#publish button");
    await keyboard.press("Enter");
    await page.locator("#tree .item", { hasText: "on" }).waitFor();
    await page.locator("body").click({ position: { x: 1, y: 1 } });
    await tabTo("#tree");
    for (const key of ["Home", "ArrowRight", "ArrowRight", "Enter"]) await keyboard.press(key);
    await page.getByRole("heading", { name: "home/hall/lamp" }).waitFor();
    await tabTo("#ask");
    await keyboard.press("Enter");
    assertEquals(await page.getByLabel("Topic or filter").inputValue(), "home/hall/lamp");
  },
});

Deno.test({
  name: "What flows and how long the broker takes to answer is drawn over time, and told where one points at",
  ...inBrowser,
  async fn() {
    await using scene = await Scene.open();
    const page = await scene.page();
    await page.getByText(/^round trip: [\d.]+ ms$/).waitFor();
    for (const [id, text] of [["chart", /s ago: \d+ in, \d+ out$/], ["delays", /s ago: [\d.]+ ms$/]] as const) {
      const lines = () => page.evaluate(`(${drawn})("${id}")`);
      const before = await lines(), seen = new Set([before]);
      for (let i = 0; i < 2000 && seen.size === 1; i++) seen.add(await lines());
      assert(seen.size > 1, "Each second adds to what is drawn");
      const { width } = await page.locator(`#${id}`).boundingBox() ?? { width: 0 };
      await page.locator(`#${id}`).hover({ position: { x: width - 10, y: 40 } });
      await page.getByText(text).first().waitFor();
    }
  },
});

/** In the page: how many points of a chart are drawn. */
function drawn(id: string): number {
  // deno-lint-ignore no-explicit-any
  const canvas = (globalThis as any).document.getElementById(id);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value: number, i: number) => i % 4 === 3 && value > 0).length;
}

/** Something of everything that the page shows. */
async function fill({ broker }: Scene): Promise<void> {
  const long = `client-${"x".repeat(500)}`;
  await connected(broker, "lamp", { username: "alice", password: "secret" });
  for (const id of [long, "sleeper"]) {
    const client = await connected(broker, id, { clean: false });
    await client.subscribe("#", 0);
    await client.disconnect();
  }
  await broker.publish(`home/${"y".repeat(300)}/temp`, "z".repeat(3000), { retain: true });
  await broker.publish("home/hall/temp", "21.5", { retain: true });
}

async function choose(page: Page): Promise<void> {
  await page.locator("#tree .item", { hasText: "21.5" }).click();
  await page.getByRole("heading", { name: "home/hall/temp" }).waitFor();
  await page.locator(".loss").first().waitFor();
  await page.locator(".client").first().waitFor();
}

for (const [device, options] of Object.entries({ desktop: {}, phone })) {
  for (const colorScheme of ["light", "dark"] as const) {
    Deno.test({
      name: `On a ${device}, ${colorScheme}, the page can be read by everybody, and nothing sticks out of it`,
      ...inBrowser,
      async fn() {
        await using scene = await Scene.open();
        await fill(scene);
        const page = await scene.page({ ...options, colorScheme });
        await choose(page);
        assertEquals(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0);
        await page.evaluate(axe.source);
        const faults =
          "violations.map(({ id, nodes }) => [id, ...nodes.map(({ failureSummary, html }) => failureSummary + html)])";
        assertEquals(await page.evaluate(`axe.run().then(({ violations }) => ${faults})`), []);
      },
    });
  }
}

Deno.test({
  name: "With 10,000 topics and 1,000 clients, and thousands of messages a second, the page stays smooth",
  ...inBrowser,
  async fn() {
    await using scene = await Scene.open();
    for (let i = 0; i < 1000; i++) await connected(scene.broker, `client-${i}`);
    for (let i = 0; i < 10_000; i++) scene.broker.publish(`plant/${i}`, `${i}`, { retain: true });
    const page = await scene.page();
    await page.getByText(/^10(,000|K) topics/).waitFor();
    const cdp = await page.context().newCDPSession(page);
    const busy = async () => {
      const { metrics } = await cdp.send("Performance.getMetrics");
      return 1000 * metrics.find(({ name }) => name === "TaskDuration")!.value;
    };
    await cdp.send("Performance.enable", { timeDomain: "threadTicks" }); // other programs do not count
    let n = 0;
    await page.exposeFunction("tick", () => {
      for (let i = 0; i < 50; i++) scene.broker.publish(`plant/${n++ * 7 % 10_000}`, `${n}`);
    });
    const before = await busy();
    const frames = await page.evaluate(`(${measured})(180)`) as number[];
    const work = (await busy() - before) / 180, median = frames.sort((a, b) => a - b)[90]!;
    assert(n > 5000 && work < 10 && median < 50, `A frame takes ${median} ms, of which the page works for ${work} ms`);
    assertEquals(scene.complaints, []);
  },
});

/** In the page: how long so many frames take, in milliseconds, each of which asks for more to show. */
function measured(frames: number): Promise<number[]> {
  // deno-lint-ignore no-explicit-any
  const { requestAnimationFrame, tick } = globalThis as any, lengths: number[] = [];
  return new Promise((resolve) => {
    let last = performance.now();
    requestAnimationFrame(function next() {
      const now = performance.now();
      lengths.push(now - last);
      last = now;
      tick();
      if (lengths.length < frames) requestAnimationFrame(next);
      else resolve(lengths);
    });
  });
}
