// What a run has shown, as texts. An input that shows something new is kept and changed further: that leads the random choices to
// where the program has more to say, at the cost of a look-up.

/** What was seen, in any order and as often as it was. */
export type Features = readonly string[];

/** A message without what differs from one input to another. */
export function normalised(message: string): string {
  return message
    .replace(/brook-[\da-f-]{36}/g, "brook-…")
    .replace(/"[^]*"/g, '"…"')
    .replace(/\d+/g, "0")
    .slice(0, 100);
}

/** Everything that was seen so far. */
export class Seen {
  readonly #features = new Set<string>();

  get size(): number {
    return this.#features.size;
  }

  /** Notes features; true where one of them is new. */
  add(features: Features): boolean {
    const before = this.#features.size;
    for (const feature of features) this.#features.add(feature);
    return this.#features.size > before;
  }
}
