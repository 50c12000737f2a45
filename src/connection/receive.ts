// The receiving side of QoS 0, 1 and 2 (section 4.3). A message is accepted first and acknowledged then: an acknowledgement means
// "accepted", and it leaves with everything else at the end of the turn.
import type { Refusal } from "../access/access.ts";
import type { PublishPacket } from "../codec/packet.ts";
import { MqttError } from "../errors.ts";
import { Message } from "../message.ts";
import type { Observer } from "../rx.ts";
import type { Session } from "../session/session.ts";
import type { Connection } from "./connection.ts";
import { decide } from "./decide.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Answers a PUBLISH. */
export function publish(
  connection: Connection,
  session: Session,
  packet: PublishPacket,
  accepted: Observer<Message>,
): void {
  const { qos, retain, messageId } = packet, client = connection.client!, { authorize } = connection.context.options;
  const message = messageOf(connection, packet), { topic } = message;
  if (qos === 2 && session.received.has(messageId)) return acknowledge(connection, packet); // sent again [MQTT-4.3.3-2]
  if (qos > 0) requireQuota(connection);
  const refused = payloadFault(connection, message);
  if (refused) return refuse(connection, session, packet, topic, refused);
  const accept = () => {
    if (qos === 2) {
      session.received.add(messageId);
      connection.underWay.add(messageId);
    }
    accepted.next(message);
    acknowledge(connection, packet);
  };
  if (!authorize) return accept();
  decide(connection, "authorize", [() => authorize({ action: "publish", client, topic, qos, retain })], ([refused]) => {
    if (refused) refuse(connection, session, packet, topic, refused);
    else accept();
  });
}

function messageOf({ aliases, client, context }: Connection, packet: PublishPacket): Message {
  const { payload, qos, retain } = packet, { topicAlias, ...properties } = packet.properties ?? {};
  return new Message({
    topic: topicAlias === undefined ? packet.topic : aliases.resolve(packet.topic, topicAlias),
    payload,
    qos,
    retain,
    client: client!.id,
    properties: packet.properties && properties,
    acceptedAt: context.turn.now,
  });
}

/** A client may not have more under way on a connection than it was told it may (5.0 sections 3.3.4 and 4.9). */
function requireQuota({ dialect, context, underWay }: Connection): void {
  const maximum = dialect.receiveMaximum(context.options.limits.receiveMaximum);
  if (underWay.size >= maximum) {
    throw new MqttError(
      "receive-maximum-exceeded",
      `Client has ${underWay.size} messages under way: ${maximum} are permitted`,
    );
  }
}

/** Why a message, or a will, is refused for its payload, if it is (5.0 section 3.3.2.3.2). */
export function payloadFault(
  { context }: Connection,
  { payload, properties }: Pick<Message, "payload" | "properties">,
): Refusal | undefined {
  if (!context.options.validatePayloadFormat || !properties?.payloadFormatIndicator) return undefined;
  try {
    utf8.decode(payload);
  } catch {
    return { reason: "payload-format-invalid", message: "Payload is not the UTF-8 text that it says it is" };
  }
}

function acknowledge(connection: Connection, { qos, messageId }: PublishPacket): void {
  if (qos > 0) connection.send({ cmd: qos === 1 ? "puback" : "pubrec", messageId });
}

function refuse(
  connection: Connection,
  session: Session,
  { qos, messageId }: PublishPacket,
  topic: string,
  { reason, message }: Refusal,
): void {
  const { client, context, dialect } = connection;
  context.report({ type: "denied", action: "publish", client: client!.id, topic, reason });
  if (qos === 0) return;
  const answer = dialect.ack(qos === 1 ? "puback" : "pubrec", messageId, reason, message);
  if (answer.reasonCode === undefined) { // 3.1.1 has no word for no [MQTT-3.3.5-2]
    if (reason === "unspecified-error") { // and that is none: the client had better send it again [MQTT-4.8.0-2]
      throw new MqttError(reason, `PUBLISH on "${topic}" could not be authorized`);
    }
    if (qos === 2) session.received.add(messageId); // a PUBREL will come
  }
  connection.send(answer);
}

/** Answers a PUBREL, also for an identifier that is not known. */
export function release(connection: Connection, session: Session, messageId: number): void {
  const known = session.received.delete(messageId);
  connection.underWay.delete(messageId);
  connection.send(connection.dialect.ack("pubcomp", messageId, known ? undefined : "packet-identifier-not-found"));
}
