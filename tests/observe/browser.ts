// The page in a real browser, before a broker that serves it as the command does.
import { type Browser, chromium, type Page } from "npm:playwright-core@^1.65.0";
import { type Broker, createBroker } from "../../src/broker.ts";
import { monitor } from "../../src/observe/monitor.ts";
import type { BrokerOptions } from "../../src/options.ts";
import { has } from "../support/process.ts";

export type { Page };

/** Without the browser its tests are left out, but where everything has to be there. */
export const noBrowser: boolean = !has("chromium", "--version") && !Deno.env.has("CI");

/** The browser, and the timers of Playwright, outlive a test. */
export const inBrowser = { ignore: noBrowser, sanitizeOps: false, sanitizeResources: false } as const;

/** How long a test waits for what the page does not show, in milliseconds: the machine may be busy. */
const PATIENCE = 60_000;

/** A browser that looks at the page of a broker. */
export class Viewer implements AsyncDisposable {
  readonly url: string;
  /** What the page has complained about. */
  readonly complaints: string[] = [];
  readonly #browser: Browser;

  private constructor(url: string, browser: Browser) {
    this.url = url;
    this.#browser = browser;
  }

  /** Starts the browser. */
  static async of(url: string): Promise<Viewer> {
    const args = ["--no-sandbox"];
    return new Viewer(url, await chromium.launch({ executablePath: "/usr/bin/chromium", args }));
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
    page.setDefaultTimeout(PATIENCE);
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && this.complaints.push(message.text()));
    await page.goto(this.url);
    await before?.(page);
    await page.getByText("Live", { exact: true }).waitFor();
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** A broker and a browser that shows its page. */
export class Scene implements AsyncDisposable {
  readonly broker: Broker;
  readonly #viewer: Viewer;
  readonly #server: Deno.HttpServer;

  private constructor(broker: Broker, server: Deno.HttpServer, viewer: Viewer) {
    this.broker = broker;
    this.#server = server;
    this.#viewer = viewer;
  }

  /** Starts both. */
  static async open(options: BrokerOptions = {}): Promise<Scene> {
    const broker = createBroker(options), show = monitor(broker);
    broker.serve(show);
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, broker.fetch);
    return new Scene(broker, server, await Viewer.of(`http://127.0.0.1:${server.addr.port}`));
  }

  /** As of the {@linkcode Viewer}. */
  get complaints(): readonly string[] {
    return this.#viewer.complaints;
  }

  /** As of the {@linkcode Viewer}. */
  page(...args: Parameters<Viewer["page"]>): Promise<Page> {
    return this.#viewer.page(...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#viewer[Symbol.asyncDispose]();
    await this.broker.close({ drain: 0 });
    await this.#server.shutdown();
  }
}
