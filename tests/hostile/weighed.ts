// A broker in a process of its own, whose memory is measured from the outside of its code, and whose end would be seen.
import { TestClient } from "../support/client.ts";
import { denoRun, type Process } from "../support/process.ts";

const MEBIBYTE = 1024 * 1024;

/** The broker of weighed_program.ts. */
export class WeighedBroker implements AsyncDisposable {
  readonly port: number;
  readonly #process: Process;
  readonly #client: TestClient;

  private constructor(process: Process, port: number, client: TestClient) {
    this.#process = process;
    this.port = port;
    this.#client = client;
  }

  /** Starts it, and resolves when it listens. */
  static async start(): Promise<WeighedBroker> {
    await using unlessStarted = new AsyncDisposableStack();
    const program = new URL("weighed_program.ts", import.meta.url).href;
    const process = unlessStarted.use(denoRun("--v8-flags=--expose-gc", "--allow-net", program));
    const port = Number(await process.output.take()), client = unlessStarted.use(await TestClient.tcp(port));
    await client.connect({ clientId: "scales" });
    await client.subscribe("weight");
    unlessStarted.move();
    return new WeighedBroker(process, port, client);
  }

  /** What it weighs now, and its objects alone, in MiB. */
  async weight(): Promise<{ all: number; objects: number }> {
    await this.#client.send({ cmd: "publish", topic: "weigh", payload: "", qos: 0, retain: false, dup: false });
    const { payload } = await this.#client.expect({ cmd: "publish", topic: "weight" });
    const { all, objects } = JSON.parse(payload.toString());
    return { all: all / MEBIBYTE, objects: objects / MEBIBYTE };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.drop();
    await this.#process.kill();
  }
}
