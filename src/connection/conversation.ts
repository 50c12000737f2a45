// What clients say, and how they are answered: an operator from connections, each of which is a stream of packets, to the messages
// that they publish. The messages of one come out in the order of its packets, a will as the last of them; every other packet is
// answered on the way.
import type { AckPacket, ClientPacket, DisconnectPacket } from "../codec/packet.ts";
import { MqttError } from "../errors.ts";
import type { Message } from "../message.ts";
import { Observable, type Observer, type OperatorFunction, Subscriber } from "../rx.ts";
import type { Session } from "../session/session.ts";
import { auth } from "./authenticate.ts";
import { connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { sessionExpiryOf } from "./dialect.ts";
import { publish, release } from "./receive.ts";
import { subscribe, unsubscribe } from "./subscribe.ts";

/** The first reason code that says no. */
const REFUSED = 0x80;

/**
 * Turns the packets of connections into accepted messages. Never errors: a fault ends its connection instead. A `mergeMap` from each
 * connection to what it publishes does the same with a dozen objects for each, and there may be 100,000 of them.
 */
export function converse(): OperatorFunction<Connection, Message> {
  return (connections) =>
    new Observable((accepted) =>
      connections.subscribe((connection) => connection.packets.subscribe(new Conversation(connection, accepted)))
    );
}

/** How the operator listens to one connection. */
class Conversation extends Subscriber<ClientPacket> {
  readonly #connection: Connection;
  readonly #accepted: Subscriber<Message>;

  constructor(connection: Connection, accepted: Subscriber<Message>) {
    super();
    this.#connection = connection;
    this.#accepted = accepted;
  }

  protected override _next(packet: ClientPacket): void {
    const connection = this.#connection;
    if (connection.ended) return;
    try {
      answer(connection, packet, this.#accepted);
    } catch (error) {
      connection.fail(error);
    }
  }

  protected override _complete(): void {
    const { dueWill } = this.#connection;
    if (dueWill) this.#accepted.next(dueWill); // [MQTT-3.1.2-8]
    super._complete();
  }
}

function answer(connection: Connection, packet: ClientPacket, accepted: Observer<Message>): void {
  const { session } = connection;
  if (!session) return answerStranger(connection, packet);
  switch (packet.cmd) {
    case "publish":
      return publish(connection, session, packet, accepted);
    case "pubrel":
      return release(connection, session, packet.messageId);
    case "puback":
    case "pubrec":
    case "pubcomp":
      return acknowledged(connection, session, packet);
    case "subscribe":
      return subscribe(connection, session, packet);
    case "unsubscribe":
      return unsubscribe(connection, session, packet);
    case "pingreq":
      return connection.send({ cmd: "pingresp" }); // [MQTT-3.12.4-1]
    case "disconnect":
      return disconnect(connection, session, packet);
    case "auth":
      return auth(connection, packet);
    case "connect":
      throw new MqttError("protocol-error", "Second CONNECT on one connection"); // [MQTT-3.1.0-2]
  }
}

/** Until a CONNECT has been accepted there is nothing but that, and the authentication that it may ask for. */
function answerStranger(connection: Connection, packet: ClientPacket): void {
  if (!connection.authentication) {
    if (packet.cmd === "connect") return connect(connection, packet);
    throw new MqttError("protocol-error", `First packet is ${packet.cmd.toUpperCase()}, not CONNECT`); // [MQTT-3.1.0-1]
  }
  if (packet.cmd === "auth") return auth(connection, packet);
  if (packet.cmd === "disconnect") return connection.close("disconnect", "The client said so");
  throw new MqttError("protocol-error", `${packet.cmd.toUpperCase()} before the end of the authentication`); // [MQTT5-3.1.2-30]
}

/** What the client says of a message that it was sent. */
function acknowledged(connection: Connection, session: Session, { cmd, messageId, reasonCode = 0 }: AckPacket): void {
  if (cmd === "pubcomp") return session.complete(messageId);
  const refused = reasonCode >= REFUSED; // [MQTT5-4.4.0-2]
  if (cmd === "puback" || refused) return session.acknowledge(messageId, refused);
  if (session.release(messageId)) connection.acknowledge("pubrel", messageId);
  else connection.send(connection.dialect.ack("pubrel", messageId, "packet-identifier-not-found"));
}

function disconnect(connection: Connection, session: Session, { reasonCode = 0, properties }: DisconnectPacket): void {
  const { sessionExpiryInterval } = properties ?? {}, { sessionExpiry } = connection.context.options.limits;
  if (sessionExpiryInterval !== undefined) { // 5.0 section 3.14.2.2.2
    if (connection.terms.sessionExpiry === 0 && sessionExpiryInterval > 0) {
      throw new MqttError("protocol-error", "DISCONNECT asks for a session expiry, and CONNECT did not");
    }
    session.expiry = Math.min(sessionExpiryOf(sessionExpiryInterval), sessionExpiry); // stored when the connection ends
  }
  if (reasonCode === 0) connection.will = undefined; // [MQTT-3.14.4-3]
  connection.close(
    "disconnect",
    reasonCode === 0 ? "The client said so" : `The client said so, with reason code ${reasonCode}`,
  );
}
