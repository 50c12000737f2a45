// What clients choose, as keys of a Map. V8 takes the number that a string of digits says for its hash: whoever subscribes to
// multiples of 65,536 has them all in one bucket, where every look-up passes over all of them, and 65,000 cost half a minute.
// The hash of any other string depends on a secret. Invariant: different strings have different keys, since none of a client
// holds U+0000.

/** More digits than this are no array index, and are hashed like any other string. */
const LONGEST_INDEX = 10;

/** A string as a key that nobody can choose so that it collides with others. */
export function keyOf(text: string): string {
  const { length } = text;
  return length <= LONGEST_INDEX && isDigit(text, 0) && isDigit(text, length - 1) ? `\0${text}` : text;
}

/** The string that a key stands for. */
export function nameOf(key: string): string {
  return key.startsWith("\0") ? key.slice(1) : key;
}

/** The levels of a topic name or filter as keys. */
export function levelKeys(topic: string): string[] {
  return levelsOf(topic).map(keyOf);
}

/**
 * The levels of a topic name or filter. Not by `split`: of a string that has been a key, that puts the parts into a table of
 * V8's own, where they collide in the same way.
 */
export function levelsOf(topic: string): string[] {
  const levels: string[] = [];
  let start = 0;
  for (let end = topic.indexOf("/"); end >= 0; end = topic.indexOf("/", start)) {
    levels.push(topic.slice(start, end));
    start = end + 1;
  }
  levels.push(topic.slice(start));
  return levels;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0x30 && code <= 0x39;
}
