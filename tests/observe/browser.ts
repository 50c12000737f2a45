// The page in a real browser, before a broker that serves it as the command does.
import { type Browser, chromium, type Page } from "npm:playwright-core@^1.65.0";
import { type Broker, createBroker } from "../../src/broker.ts";
import { monitor } from "../../src/observe/monitor.ts";
import type { BrokerOptions } from "../../src/options.ts";
import { upgrade } from "../../src/transport/websocket.ts";
import { has } from "../support/process.ts";

export type { Page };

/** Without the browser its tests are left out, but where everything has to be there. */
export const noBrowser: boolean = !has("chromium", "--version") && !Deno.env.has("CI");

/** A broker and a browser that shows its page. */
export class Scene implements AsyncDisposable {
  readonly broker: Broker;
  readonly url: string;
  /** What the page has complained about. */
  readonly complaints: string[] = [];
  readonly #browser: Browser;
  readonly #server: Deno.HttpServer;

  private constructor(broker: Broker, browser: Browser) {
    this.broker = broker;
    this.#browser = browser;
    const show = monitor(broker);
    const server = this.#server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      (request, info) => {
        if (new URL(request.url).pathname === "/mqtt") {
          return upgrade(request, (stream) => broker.accept(stream), {
            info,
          });
        }
        return show(request, info) ?? new Response("Not found", { status: 404 });
      },
    );
    this.url = `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}`;
  }

  /** Starts both. */
  static async open(options: BrokerOptions = {}): Promise<Scene> {
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
    return new Scene(createBroker(options), browser);
  }

  /**
   * A page, which is connected to the broker over MQTT when this resolves.
   *
   * @param before what has to be done on it until it is
   */
  async page(
    options: Parameters<Browser["newPage"]>[0] = {},
    before?: (page: Page) => Promise<void>,
  ): Promise<Page> {
    const page = await this.#browser.newPage({ viewport: { width: 1360, height: 1000 }, ...options });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && this.complaints.push(message.text()));
    await page.goto(this.url);
    await before?.(page);
    await page.getByText("Live", { exact: true }).waitFor();
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await this.broker.close({ drain: 0 });
    await this.#server.shutdown();
  }
}
