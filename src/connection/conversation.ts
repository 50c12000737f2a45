// What a client says, and how it is answered: an operator from the packets of one connection to the messages that it publishes.
// The messages come out in the order of the packets; a will is the last one. Every other packet is answered on the way.
import type { ClientPacket } from "../codec/packet.ts";
import { MqttError } from "../errors.ts";
import type { Message } from "../message.ts";
import { Observable, type Observer, type OperatorFunction } from "../rx.ts";
import { connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { publish, release } from "./receive.ts";
import { subscribe, unsubscribe } from "./subscribe.ts";

/** Turns the packets of a connection into accepted messages. Never errors: a fault ends the connection instead. */
export function converse(connection: Connection): OperatorFunction<ClientPacket, Message> {
  return (packets) =>
    new Observable((accepted) =>
      packets.subscribe({
        next(packet) {
          try {
            answer(connection, packet, accepted);
          } catch (error) {
            connection.fail(error);
          }
        },
        complete() {
          if (connection.will) accepted.next(connection.will); // [MQTT-3.1.2-8]
          accepted.complete();
        },
      })
    );
}

function answer(connection: Connection, packet: ClientPacket, accepted: Observer<Message>): void {
  const { session } = connection;
  if (!session) {
    if (packet.cmd === "connect") return connect(connection, packet);
    throw new MqttError("protocol-error", `First packet is ${packet.cmd.toUpperCase()}, not CONNECT`); // [MQTT-3.1.0-1]
  }
  switch (packet.cmd) {
    case "publish":
      return publish(connection, session, packet, accepted);
    case "pubrel":
      return release(connection, session, packet.messageId);
    case "puback":
      return session.acknowledge(packet.messageId);
    case "pubrec":
      return session.release(packet.messageId);
    case "pubcomp":
      return session.complete(packet.messageId);
    case "subscribe":
      return subscribe(connection, session, packet);
    case "unsubscribe":
      return unsubscribe(connection, session, packet);
    case "pingreq":
      return connection.send({ cmd: "pingresp" }); // [MQTT-3.12.4-1]
    case "disconnect":
      connection.will = undefined; // [MQTT-3.14.4-3]
      return connection.close("disconnect", "The client said so");
    case "connect":
      throw new MqttError("protocol-error", "Second CONNECT on one connection"); // [MQTT-3.1.0-2]
  }
}
