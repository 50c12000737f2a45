// A hook whose rules are read from a text, and can be replaced while the broker runs: what is under way keeps the rules
// that it began with. Invariant: a faulty text changes nothing.

/** Something that follows rules which can be replaced. */
export interface Replaceable<Text> {
  /**
   * Follows the rules of this text from now on.
   *
   * @throws {SyntaxError} where the text is faulty: the rules stay as they were
   */
  replace(text: Text): void;
}

/** The hook that `read` makes of a text. */
export function replaceable<Text, Question, Answer>(
  read: (text: Text) => (question: Question) => Answer,
  text: Text,
): ((question: Question) => Answer) & Replaceable<Text> {
  let hook = read(text);
  const replace = (text: Text): void => {
    hook = read(text);
  };
  return Object.assign((question: Question) => hook(question), { replace });
}
