import { assert, assertEquals } from "@std/assert";
import { connected, type TestClient } from "../support/client.ts";
import { inBrowser, type Page, Scene } from "./browser.ts";

function row(page: Page, text: string) {
  return page.locator("#tree .item").filter({ hasText: text }).filter({ visible: true });
}

Deno.test({
  name: "The page shows two clients that talk: their messages, and themselves",
  ...inBrowser,
  async fn() {
    await using scene = await Scene.open();
    const page = await scene.page();
    await using _lamp = await connected(scene.broker, "lamp");
    await using sensor = await connected(scene.broker, "sensor");
    await sensor.publish("home/hall/temp", "21.5");
    await row(page, "temp").filter({ hasText: "21.5" }).waitFor();
    await sensor.publish("home/hall/temp", "22.5");
    await row(page, "temp").filter({ hasText: "22.5" }).waitFor();
    await page.locator(".client", { hasText: "lamp" }).waitFor();
    await page.getByLabel("Search clients").fill("sens");
    await page.locator(".client", { hasText: "lamp" }).waitFor({ state: "detached" });
    assertEquals(await page.locator(".client b").allTextContents(), ["sensor"]);
    assertEquals(scene.complaints, []);
  },
});

Deno.test({
  name: "What is published from the page arrives at a client, at each quality of service",
  ...inBrowser,
  async fn() {
    await using scene = await Scene.open();
    const page = await scene.page();
    await using client = await connected(scene.broker, "client");
    await client.subscribe("cmd/#", 0);
    for (const qos of ["0", "1", "2"]) await publishes(page, client, qos);
    await page.getByLabel("Topic", { exact: true }).fill("cmd/#");
    await page.getByRole("button", { name: "Publish" }).click();
    await page.getByText("Refused: ").waitFor();
    assertEquals(scene.complaints, []);
  },
});

async function publishes(page: Page, client: TestClient, qos: string): Promise<void> {
  await page.getByLabel("Topic", { exact: true }).fill("cmd/lämp");
  await page.getByLabel("Message", { exact: true }).fill(`on ${qos}`);
  await page.getByLabel("Quality of service").selectOption(qos);
  await page.getByRole("button", { name: "Publish" }).click();
  await client.expect({ cmd: "publish", topic: "cmd/lämp", payload: `on ${qos}` });
  if (qos !== "0") await page.getByText("Accepted at").waitFor();
}

Deno.test({
  name: "The page disconnects a client when it is asked twice",
  ...inBrowser,
  async fn() {
    await using scene = await Scene.open();
    const page = await scene.page();
    await using client = await connected(scene.broker, "c/ä", { protocolVersion: 5 });
    const button = page.getByRole("button", { name: "Disconnect c/ä" });
    await button.click();
    await client.expectNothing();
    await button.click();
    await client.expect({ cmd: "disconnect", reasonCode: 0x98 });
    await button.waitFor({ state: "detached" });
  },
});

Deno.test({
  name: "The page tells why something did not arrive, by client and topic",
  ...inBrowser,
  async fn() {
    await using scene = await Scene.open({ limits: { retainedMessages: 0 } });
    const page = await scene.page();
    const sleeper = await connected(scene.broker, "sleeper", { clean: false });
    await sleeper.subscribe("a/#");
    await sleeper.disconnect();
    await scene.broker.publish("a/b", "x");
    await scene.broker.publish("c/<img src=x onerror=alert(1)>", "x", { retain: true });
    await page.locator(".loss", { hasText: "the client was not connected" }).filter({ hasText: "a/b" }).waitFor();
    await page.locator(".loss", { hasText: "<img src=x" }).waitFor();
    await page.getByLabel("Client", { exact: true }).fill("sleeper");
    await page.getByLabel("Topic or filter").fill("a/+");
    await page.locator(".loss", { hasText: "<img" }).waitFor({ state: "detached" });
    assertEquals(await page.locator(".loss").count(), 1);
    assertEquals(scene.complaints, []);
  },
});

Deno.test({
  name: "Whoever has to say who they are is asked by the page, too",
  ...inBrowser,
  async fn() {
    await using scene = await Scene.open({
      authenticate: ({ username, password }) => (username === "u" && password === "p") || "bad-user-name-or-password",
    });
    const page = await scene.page({ httpCredentials: { username: "u", password: "p" } }, async (page) => {
      await page.getByLabel("User name").fill("u");
      await page.getByLabel("Password").fill("x");
      await page.getByRole("button", { name: "Connect", exact: true }).click();
      await page.getByText("Refused: bad user name or password").waitFor();
      await page.getByLabel("Password").fill("p");
      await page.getByRole("button", { name: "Connect", exact: true }).click();
    });
    await scene.broker.publish("a", "seen");
    await row(page, "seen").waitFor();
  },
});

Deno.test({
  name: "Ten thousand topics and a thousand clients leave the page small, and by keys each topic is reached",
  ...inBrowser,
  async fn() {
    await using scene = await Scene.open();
    for (let i = 0; i < 1000; i++) await connected(scene.broker, `client-${i}`);
    for (let i = 0; i < 10_000; i++) scene.broker.publish(`plant/${i % 100}/${i}`, `${i}`, { retain: true });
    const page = await scene.page();
    await page.getByText("10,000 topics").or(page.getByText("10K topics")).waitFor();
    await page.getByText("first 200 of 1,001").waitFor();
    assert(await page.evaluate("document.querySelectorAll('*').length") as number < 2500);
    await page.locator("#tree").focus();
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await page.locator("#chosen-topic").waitFor();
    assertEquals(scene.complaints, []);
  },
});
