// Lines to a terminal or a file, several at a time: each write of its own costs more than what it tells about, and a thousand clients
// that come back at once are a thousand lines.

/** How long a line may wait for others, in milliseconds. */
const GATHER = 20;

/** Gathers lines. */
export class Lines {
  readonly #write: (text: string) => void;
  #waiting: string[] = [];

  /** @param write gets one line or several */
  constructor(write: (text: string) => void) {
    this.#write = write;
    globalThis.addEventListener("unload", this.flush);
  }

  /** Writes a line soon. */
  readonly add = (line: string): void => {
    if (this.#waiting.push(line) === 1) Deno.unrefTimer(setTimeout(this.flush, GATHER));
  };

  /** Writes what waits. */
  readonly flush = (): void => {
    const lines = this.#waiting;
    if (lines.length === 0) return;
    this.#waiting = [];
    this.#write(lines.join("\n"));
  };
}
