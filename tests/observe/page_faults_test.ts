// What goes wrong before the page: refusals, faults of its user, a broker that is gone for a while.
import { assertEquals } from "@std/assert";
import { connected } from "../support/client.ts";
import { BrokerProcess } from "../support/process.ts";
import { inBrowser, type Page, Scene, Viewer } from "./browser.ts";

async function subscribe(page: Page, filter: string): Promise<void> {
  await page.getByLabel("Topic filter", { exact: true }).fill(filter);
  await page.getByRole("button", { name: "Subscribe" }).click();
}

async function publish(page: Page, topic: string, payload: string): Promise<void> {
  await page.getByLabel("Topic", { exact: true }).fill(topic);
  await page.getByLabel("Message", { exact: true }).fill(payload);
  await page.getByRole("button", { name: "Publish" }).click();
}

Deno.test({
  name: "A filter that is refused or wrong is told to be so, is not asked for again, and the page goes on",
  ...inBrowser,
  async fn() {
    await using scene = await Scene.open({ authorize: ({ topic }) => topic !== "secret" });
    const page = await scene.page();
    let ended = 0;
    scene.broker.events.subscribe(({ type }) => type === "disconnected" && ended++);
    await subscribe(page, "secret");
    await page.getByText("Refused: not authorized").waitFor();
    await subscribe(page, "a/#/b");
    await page.getByText("Refused: malformed packet").waitFor();
    await page.getByText("Connecting", { exact: true }).waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    await subscribe(page, "a/#");
    await publish(page, "a/b", "here");
    await page.locator("#tree .item", { hasText: "here" }).waitFor();
    assertEquals([ended, scene.complaints], [1, []]);
  },
});

Deno.test({
  name: "A long message is published from the page; of one that is too long it is told why it was not",
  ...inBrowser,
  async fn() {
    await using scene = await Scene.open();
    const page = await scene.page();
    await using client = await connected(scene.broker, "client");
    await client.subscribe("big", 0);
    const payload = "ä".repeat(400_000);
    await publish(page, "big", payload);
    await client.expect({ cmd: "publish", topic: "big", payload });
    await publish(page, "big", payload + payload);
    await page.getByText("The broker has ended the connection: packet too large").waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    assertEquals(scene.complaints, []);
  },
});

Deno.test({
  name: "A page that finds no room says so, and comes in when there is some",
  ...inBrowser,
  async fn() {
    await using scene = await Scene.open({ limits: { connections: 1 } });
    const client = await connected(scene.broker, "client");
    await scene.page({}, async (page) => {
      await page.getByText("Refused: server unavailable").waitFor();
      await client.disconnect();
    });
  },
});

Deno.test({
  name: "A page that is left has lost nothing",
  ...inBrowser,
  async fn() {
    await using scene = await Scene.open();
    const page = await scene.page(), reasons: string[] = [], gone = Promise.withResolvers<void>();
    scene.broker.events.subscribe((event) => {
      if (event.type !== "disconnected") return;
      reasons.push(event.reason);
      gone.resolve();
    });
    await page.goto("about:blank");
    await gone.promise;
    assertEquals([reasons, scene.broker.why()], [["disconnect"], []]);
  },
});

Deno.test({
  name: "While the broker is gone the page says so; when it is back, the page is, and has subscribed again",
  ...inBrowser,
  async fn() {
    const first = await BrokerProcess.start(), port = String(first.ports.get("ws"));
    await using viewer = await Viewer.of(`http://127.0.0.1:${port}`);
    const page = await viewer.page();
    await subscribe(page, "a/+");
    await page.getByText("0 topics, 0 messages").waitFor();
    assertEquals(await first.stop(), 0);
    await page.getByText("Broker can't be reached").waitFor();
    await publish(page, "a/b", "lost");
    await page.getByText("Not connected").waitFor();
    await using second = await BrokerProcess.permitted([], "--port", "0", "--http", port);
    await second.logged('Client "brook-page'); // "Live" alone could be said of whoever had the port in between
    await page.getByText("Live", { exact: true }).waitFor();
    await publish(page, "a/b", "back");
    await page.locator("#tree .item", { hasText: "back" }).waitFor();
  },
});
