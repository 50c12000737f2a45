// Rejections and errors that nobody catches: outside of a test each of them would end the process.

/** Collects them until it is disposed of. */
export class Strays implements Disposable {
  readonly #found: unknown[] = [];
  readonly #listen = (event: Event) => {
    event.preventDefault();
    this.#found.push(event instanceof PromiseRejectionEvent ? event.reason : (event as ErrorEvent).error);
  };

  constructor() {
    addEventListener("unhandledrejection", this.#listen);
    addEventListener("error", this.#listen);
  }

  /** @throws the first one, if there is any */
  requireNone(): void {
    if (this.#found.length > 0) throw new Error(`Nobody caught ${this.#found[0]}`, { cause: this.#found[0] });
  }

  [Symbol.dispose](): void {
    removeEventListener("unhandledrejection", this.#listen);
    removeEventListener("error", this.#listen);
  }
}
