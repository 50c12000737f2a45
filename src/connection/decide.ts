// Asks the user's hooks. One that answers at once costs nothing more than the call; one that returns a promise pauses its own
// connection until it settles, so that the packets behind stay in order, and nobody else waits.
import { type Refusal, refusal } from "../access/access.ts";
import { MqttError } from "../errors.ts";
import type { Report } from "../events.ts";
import type { Connection } from "./connection.ts";

type Hook = "authenticate" | "authorize";

/** Asks each question, and calls `then` with the refusals (nothing for a yes), unless the connection has ended meanwhile. */
export function decide(
  connection: Connection,
  hook: Hook,
  questions: readonly (() => unknown)[],
  then: (refusals: readonly (Refusal | undefined)[]) => void,
): void {
  const { report, turn } = connection.context;
  const answers = questions.map((ask) => asked(report, hook, ask));
  if (!answers.some((answer) => answer instanceof Promise)) return then(answers.map(refusal));
  connection.wait(
    Promise.all(answers).then((settled) => turn.run(() => connection.attempt(() => then(settled.map(refusal))))),
  );
}

/** A hook's answer; where it fails, that is a refusal. */
export function asked(report: Report, hook: Hook, ask: () => unknown): unknown {
  const failed = (error: unknown) => {
    report({ type: "hook-error", hook, error });
    return hook === "authenticate" ? "server-unavailable" as const : "unspecified-error" as const;
  };
  try {
    const answer = ask();
    return answer instanceof Promise ? answer.catch(failed) : answer;
  } catch (error) {
    return failed(error);
  }
}

/** The fault that ends a connection which a hook has refused. */
export function refusedConnect({ reason, message, serverReference }: Refusal, otherwise: string): MqttError {
  return new MqttError(reason, message ?? otherwise, serverReference);
}
