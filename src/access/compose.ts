// Hooks made of hooks, for both kinds of them: asked one after the other, until the answer is certain. Invariant: where
// every hook answers at once, so does the whole, without a promise; what a hook throws is thrown.
import { type Decision, refusal } from "./access.ts";

/** A hook, `authenticate` or `authorize`: what it is asked, and its answer. */
export type Hook<Question> = (question: Question) => Decision | Promise<Decision>;

/**
 * Permits what all of these hooks permit. The first that refuses says why, and those behind it are not asked; without
 * any hook, everything is permitted.
 *
 * @example
 * ```ts
 * import { type Access, aclRules, allOf, createBroker } from "@brook/mqtt";
 *
 * const authorize = allOf(aclRules("topic #"), ({ retain }: Access) => !retain);
 * await using broker = createBroker({ authorize });
 * ```
 */
export function allOf<Question>(...hooks: readonly Hook<Question>[]): Hook<Question> {
  return inTurn(hooks, (decision) => refusal(decision) !== undefined, true);
}

/**
 * Permits what one of these hooks permits. Those behind it are not asked; where all refuse, the last one says why, and
 * without any hook, nothing is permitted.
 *
 * @example
 * ```ts
 * import { anyOf, createBroker, type Credentials, passwords } from "@brook/mqtt";
 *
 * const anonymous = ({ username }: Credentials) => username === undefined;
 * await using broker = createBroker({ authenticate: anyOf(anonymous, passwords([])) });
 * ```
 */
export function anyOf<Question>(...hooks: readonly Hook<Question>[]): Hook<Question> {
  return inTurn(hooks, (decision) => refusal(decision) === undefined, false);
}

/** The first answer that is final, or the last one. */
function inTurn<Question>(
  hooks: readonly Hook<Question>[],
  isFinal: (decision: Decision) => boolean,
  otherwise: Decision,
): Hook<Question> {
  const ask = (question: Question, from: number, last: Decision): Decision | Promise<Decision> => {
    for (let i = from; i < hooks.length; i++) {
      const answer = hooks[i]!(question);
      if (answer instanceof Promise) {
        return answer.then((settled) => isFinal(settled) ? settled : ask(question, i + 1, settled));
      }
      if (isFinal(last = answer)) break;
    }
    return last;
  };
  return (question) => ask(question, 0, otherwise);
}
