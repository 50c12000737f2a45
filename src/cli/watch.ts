// Files that change while the broker runs, such as certificates that are renewed. They are looked at once a second: to be told of changes
// would need the right to read whole folders, and would miss links that come to point elsewhere. Invariant: files that are changed one
// after the other count once, when nothing has changed for a second.

/** How often files are looked at, in milliseconds. */
const INTERVAL = 1000;

/** Looks at files. */
export class Watch implements Disposable {
  readonly #paths: () => readonly string[];
  readonly #changed: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  /** What they were when they were read, and at the last look. */
  #read: string;
  #last: string;

  /** @param paths the files at present @param changed reads them again */
  constructor(paths: () => readonly string[], changed: () => void) {
    this.#paths = paths;
    this.#changed = changed;
    this.#read = this.#last = this.#stamp();
    this.#timer = setInterval(() => this.#look(), INTERVAL);
  }

  /** They have been read by somebody else. */
  seen(): void {
    this.#read = this.#last = this.#stamp();
  }

  #look(): void {
    const stamp = this.#stamp(), settled = stamp === this.#last;
    this.#last = stamp;
    if (!settled || stamp === this.#read) return;
    this.#read = stamp;
    this.#changed();
  }

  #stamp(): string {
    return this.#paths().map(stampOf).join(" ");
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function stampOf(path: string): string {
  try {
    const { dev, ino, size, mtime } = Deno.statSync(path);
    return [dev, ino, size, Number(mtime)].join();
  } catch {
    return "";
  }
}
