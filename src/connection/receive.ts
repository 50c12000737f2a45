// The receiving side of QoS 0, 1 and 2 (3.1.1 section 4.3). A message is accepted first and acknowledged then: an acknowledgement
// means "accepted", and it leaves with everything else at the end of the turn.
import type { PublishPacket } from "../codec/packet.ts";
import { MqttError } from "../errors.ts";
import { Message } from "../message.ts";
import type { Observer } from "../rx.ts";
import type { Session } from "../session/session.ts";
import type { Connection } from "./connection.ts";
import { decide } from "./decide.ts";

/** Answers a PUBLISH. */
export function publish(
  connection: Connection,
  session: Session,
  packet: PublishPacket,
  accepted: Observer<Message>,
): void {
  const { topic, payload, qos, retain, messageId } = packet, { client, context } = connection;
  if (qos === 2 && session.received.has(messageId)) return acknowledge(connection, packet); // sent again [MQTT-4.3.3-2]
  const accept = () => {
    if (qos === 2) session.received.add(messageId);
    accepted.next(new Message({ topic, payload, qos, retain, client: client!.id }));
    acknowledge(connection, packet);
  };
  const { authorize } = context.options;
  if (!authorize) return accept();
  decide(
    connection,
    "authorize",
    [() => authorize({ action: "publish", client: client!, topic, qos, retain })],
    ([refused]) => {
      if (!refused) return accept();
      context.report({ type: "denied", action: "publish", client: client!.id, topic, reason: refused });
      if (refused === "unspecified-error" && qos > 0) { // not a no: the client had better send it again [MQTT-4.8.0-2]
        throw new MqttError(refused, `PUBLISH on "${topic}" could not be authorized`);
      }
      if (qos === 2) session.received.add(messageId);
      acknowledge(connection, packet); // 3.1.1 has no way to say no [MQTT-3.3.5-2]
    },
  );
}

function acknowledge(connection: Connection, { qos, messageId }: PublishPacket): void {
  if (qos === 1) connection.send({ cmd: "puback", messageId });
  if (qos === 2) connection.send({ cmd: "pubrec", messageId });
}

/** Answers a PUBREL, also for an identifier that is not known. */
export function release(connection: Connection, session: Session, messageId: number): void {
  session.received.delete(messageId);
  connection.send({ cmd: "pubcomp", messageId });
}
