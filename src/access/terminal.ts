// Lines that a person types unseen, or that a program sends to standard input. Invariant: the terminal shows what is
// typed again when this is done, also after Ctrl-C: a raw terminal sends it as a character, and not as a signal.

/** What a command asks somebody, and tells. */
export interface Terminal {
  /** True for a person: they had better say twice what they can't see. */
  readonly isInteractive: boolean;
  /** The next line, not shown where it is typed; `undefined` at Ctrl-C and at the end of the input. */
  ask(prompt: string): Promise<string | undefined>;
  print(line: string): void;
  printError(line: string): void;
}

const INTERRUPT = "\x03", END = "\x04", ERASE_LINE = "\x15";

/** The terminal, or whatever standard input and output are. */
export class StandardTerminal implements Terminal {
  readonly isInteractive: boolean = Deno.stdin.isTerminal();
  readonly #decoder = new TextDecoder();
  /** What has come behind the last line. */
  #rest = "";

  async ask(prompt: string): Promise<string | undefined> {
    if (!this.isInteractive) return await this.#line();
    Deno.stdin.setRaw(true); // before the prompt: from then on somebody types
    try {
      Deno.stderr.writeSync(new TextEncoder().encode(prompt));
      return await this.#typed();
    } finally {
      Deno.stdin.setRaw(false);
      this.printError("");
    }
  }

  print(line: string): void {
    console.log(line);
  }

  printError(line: string): void {
    console.error(line);
  }

  async #line(): Promise<string | undefined> {
    let line = "";
    for (let char; (char = await this.#next()) !== "\n";) {
      if (char === undefined) return line || undefined;
      line += char;
    }
    return line.replace(/\r$/, "");
  }

  async #typed(): Promise<string | undefined> {
    const line: string[] = [];
    for (let char; (char = await this.#next()) !== "\r" && char !== "\n";) {
      if (char === undefined || char === INTERRUPT || char === END) return undefined;
      if (char === ERASE_LINE) line.length = 0;
      else if (char === "\x7f" || char === "\b") line.pop();
      else line.push(char);
    }
    return line.join("");
  }

  /** The next character; `undefined` at the end. */
  async #next(): Promise<string | undefined> {
    const chunk = new Uint8Array(1024);
    while (this.#rest === "") {
      const count = await Deno.stdin.read(chunk);
      if (count === null) return undefined;
      this.#rest = this.#decoder.decode(chunk.subarray(0, count), { stream: true });
    }
    const char = String.fromCodePoint(this.#rest.codePointAt(0)!);
    this.#rest = this.#rest.slice(char.length);
    return char;
  }
}
