// Rules that have changed, and subscriptions that were made under former ones: each is asked about again, as if its client subscribed
// now, and those that are refused are gone. MQTT has no word for that to the client; the events have.
import { refusal } from "../access/access.ts";
import type { Session } from "../session/session.ts";
import type { Subscription } from "../session/subscription.ts";
import { parseFilter } from "../topics/shared.ts";
import type { ConnectionContext } from "./connection.ts";
import { asked } from "./decide.ts";

/** How many sessions are asked about before others have their turn. */
const BATCH = 256;

/** Asks about the subscriptions of all sessions; resolves when all answers are there. */
export async function reauthorizeAll(context: ConnectionContext): Promise<void> {
  const sessions = [...context.sessions.all], answers: Promise<void>[] = [];
  for (let i = 0; i < sessions.length; i++) {
    if (i > 0 && i % BATCH === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    context.turn.run(() => answers.push(...reauthorize(sessions[i]!, context)));
  }
  await Promise.all(answers);
}

/**
 * Asks about the subscriptions of one session, in a turn. Of a session that was kept by a store nobody knows whose it is until its
 * client is there.
 *
 * @returns what is not decided yet
 */
export function reauthorize(session: Session, context: ConnectionContext): Promise<void>[] {
  const { client } = session, { options: { authorize }, turn } = context, later: Promise<void>[] = [];
  if (!authorize || !client) return later;
  for (const [topic, subscription] of [...session.subscriptions.entries()]) {
    const { filter, group } = parseFilter(topic), { qos } = subscription.options;
    const access = { action: "subscribe", client, topic: filter, group, qos, retain: false } as const;
    const answer = asked(context.report, "authorize", () => authorize(access));
    const settle = (decision: unknown) => enforce(session, topic, subscription, decision, context);
    if (answer instanceof Promise) later.push(answer.then((decision) => turn.run(() => settle(decision))));
    else settle(answer);
  }
  return later;
}

/** The client may have subscribed anew meanwhile: that was asked about, too. */
function enforce(
  { clientId, subscriptions }: Session,
  topic: string,
  subscription: Subscription,
  decision: unknown,
  { report }: ConnectionContext,
): void {
  const refused = refusal(decision);
  if (!refused || subscriptions.get(topic) !== subscription) return;
  subscriptions.delete(topic);
  report({ type: "denied", action: "subscribe", client: clientId, topic, reason: refused.reason });
  report({ type: "unsubscribed", client: clientId, filter: topic });
}
