// SUBSCRIBE and UNSUBSCRIBE (3.1.1 sections 3.8 to 3.11): several topic filters are handled one after the other, and answered
// together. The answer leaves before the retained messages that the new subscriptions bring.
import type { SubscribePacket, UnsubscribePacket } from "../codec/packet.ts";
import type { Session } from "../session/session.ts";
import type { Connection } from "./connection.ts";
import { decide } from "./decide.ts";

/** Answers a SUBSCRIBE. */
export function subscribe(connection: Connection, session: Session, packet: SubscribePacket): void {
  const { report, options: { authorize } } = connection.context, { messageId, subscriptions } = packet;
  const client = connection.client!;
  const questions = subscriptions.map(({ topic, qos }) => () =>
    authorize?.({ action: "subscribe", client, topic, qos, retain: false }) ?? true
  );
  decide(connection, "authorize", questions, (refusals) => {
    for (const [i, { topic, qos }] of subscriptions.entries()) {
      const reason = refusals[i];
      if (reason) {
        report({ type: "denied", action: "subscribe", client: client.id, topic, reason });
      } else {
        session.subscribe(topic, qos);
        report({ type: "subscribed", client: client.id, filter: topic, qos });
      }
    }
    const granted = subscriptions.map(({ qos }, i) => connection.dialect.subackCode(qos, refusals[i])); // [MQTT-3.9.3-1]
    connection.send({ cmd: "suback", messageId, granted });
    for (const [i, { topic, qos }] of subscriptions.entries()) if (!refusals[i]) session.replay(topic, qos);
  });
}

/** Answers an UNSUBSCRIBE, also where nothing was subscribed [MQTT-3.10.4-5]. */
export function unsubscribe(connection: Connection, session: Session, packet: UnsubscribePacket): void {
  const { report } = connection.context, { messageId, unsubscriptions } = packet;
  for (const filter of unsubscriptions) {
    if (session.unsubscribe(filter)) report({ type: "unsubscribed", client: session.clientId, filter });
  }
  connection.send({ cmd: "unsuback", messageId });
}
