// The receiving side of QoS 0, 1 and 2 (section 4.3). A message is accepted first and acknowledged then: an acknowledgement means
// "accepted", and it leaves with everything else at the end of the turn.
import type { Refusal } from "../access/access.ts";
import type { ReceivedPublish } from "../codec/packet.ts";
import { MqttError } from "../errors.ts";
import { Message } from "../message.ts";
import type { Observer } from "../rx.ts";
import type { Session } from "../session/session.ts";
import { isSysTopic, topicSizeFault } from "../topics/filter.ts";
import type { Connection } from "./connection.ts";
import { decide } from "./decide.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** How many messages of QoS 2 a client may have under way to the broker at any time. */
const FEW = 64;

/** Answers a PUBLISH. */
export function publish(
  connection: Connection,
  session: Session,
  packet: ReceivedPublish,
  accepted: Observer<Message>,
): void {
  connection.requireRate();
  const { qos, retain, messageId } = packet, client = connection.client!, { authorize } = connection.context.options;
  const message = messageOf(connection, packet), { topic } = message;
  if (qos === 2 && session.hasReceived(messageId)) return acknowledge(connection, packet); // sent again [MQTT-4.3.3-2]
  if (qos > 0) requireQuota(connection);
  const refused = faultOf(connection, message) ?? (qos > 0 ? storeFault(connection) : undefined);
  if (refused) return refuse(connection, session, packet, topic, refused);
  if (!authorize) return accept(connection, session, packet, message, accepted);
  message.keep(); // the answer may come later
  decide(connection, "authorize", [() => authorize({ action: "publish", client, topic, qos, retain })], ([refused]) => {
    if (refused) refuse(connection, session, packet, topic, refused);
    else accept(connection, session, packet, message, accepted);
  });
}

function accept(
  connection: Connection,
  session: Session,
  packet: ReceivedPublish,
  message: Message,
  accepted: Observer<Message>,
): void {
  if (packet.qos === 2) {
    receive(connection, session, packet.messageId);
    connection.underWay.add(packet.messageId);
  }
  accepted.next(message);
  acknowledge(connection, packet);
}

/** Remembers an identifier; while memory is full, of each client no more than a few. */
function receive({ context: { memory } }: Connection, session: Session, messageId: number): void {
  if (memory.full && session.receiving >= FEW) {
    throw new MqttError(
      "quota-exceeded",
      "The broker has no memory for so many messages of QoS 2 without a PUBREL now",
    );
  }
  session.receive(messageId);
}

function messageOf(connection: Connection, packet: ReceivedPublish): Message {
  const { qos, retain, properties } = packet;
  const client = connection.client!.id, acceptedAt = connection.context.turn.now;
  if (!properties) return new Message({ topic: packet.topic, qos, retain, client, acceptedAt }, undefined, packet);
  const { topicAlias, ...own } = properties;
  const topic = topicAlias === undefined ? packet.topic : connection.aliases.resolve(packet.topic, topicAlias);
  return new Message({ topic, qos, retain, client, properties: own, acceptedAt }, undefined, packet);
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

/** What keeps a message from being accepted, whoever publishes it; a will is looked at in the same way. */
export function faultOf({ context: { options, retained } }: Connection, message: Message): Refusal | undefined {
  const { limits, validatePayloadFormat } = options, fault = topicSizeFault(message.topic, limits);
  if (fault) return { reason: "topic-name-invalid", message: `Topic name ${fault}` };
  if (isSysTopic(message.topic)) return { reason: "not-authorized", message: "Only the broker publishes below $SYS" };
  if (message.retain && message.size > 0 && !retained.hasRoom(message)) {
    return { reason: "quota-exceeded", message: "The broker can't retain more messages" };
  }
  if (!validatePayloadFormat || !message.properties?.payloadFormatIndicator) return undefined;
  try {
    utf8.decode(message.keep().payload);
  } catch {
    return { reason: "payload-format-invalid", message: "Payload is not the UTF-8 text that it says it is" };
  }
}

/** What can't be kept must not be acknowledged. */
function storeFault({ context: { durability } }: Connection): Refusal | undefined {
  return durability?.failing ? { reason: "quota-exceeded", message: "The broker can't store messages now" } : undefined;
}

function acknowledge(connection: Connection, { qos, messageId }: ReceivedPublish): void {
  if (qos > 0) connection.acknowledge(qos === 1 ? "puback" : "pubrec", messageId);
}

function refuse(
  connection: Connection,
  session: Session,
  { qos, messageId }: ReceivedPublish,
  topic: string,
  { reason, message }: Refusal,
): void {
  const { client, context, dialect } = connection;
  context.report({ type: "denied", action: "publish", client: client!.id, topic, reason });
  if (qos === 0) return;
  const answer = dialect.ack(qos === 1 ? "puback" : "pubrec", messageId, reason, message);
  if (answer.reasonCode === undefined) { // 3.1.1 has no word for no [MQTT-3.3.5-2]
    if (context.durability?.failing) throw new MqttError(reason, message ?? "The broker can't store messages now");
    if (reason === "unspecified-error") { // and that is none: the client had better send it again [MQTT-4.8.0-2]
      throw new MqttError(reason, `PUBLISH on "${topic}" could not be authorized`);
    }
    if (qos === 2) receive(connection, session, messageId); // a PUBREL will come
  }
  connection.send(answer);
}

/** Answers a PUBREL, also for an identifier that is not known. */
export function release(connection: Connection, session: Session, messageId: number): void {
  const known = session.received(messageId);
  connection.underWay.delete(messageId);
  if (known) connection.acknowledge("pubcomp", messageId);
  else connection.send(connection.dialect.ack("pubcomp", messageId, "packet-identifier-not-found"));
}
