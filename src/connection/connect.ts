// The first packet (3.1.1 section 3.1): who is it, may it come in, and does it find its session again?
import type { ConnectPacket } from "../codec/packet.ts";
import { MqttError } from "../errors.ts";
import { Message } from "../message.ts";
import type { Connection } from "./connection.ts";
import { decide } from "./decide.ts";
import { dialects } from "./dialect.ts";

const text = new TextDecoder();

/** Answers a CONNECT. */
export function connect(connection: Connection, packet: ConnectPacket): void {
  const { options, connectionCount } = connection.context;
  connection.dialect = dialects[packet.protocolVersion];
  const id = connection.claimedId = packet.clientId || assignClientId(connection, packet.clean);
  if (connectionCount() > options.limits.connections) {
    throw new MqttError("server-unavailable", `There are ${options.limits.connections} connections already`);
  }
  const client = { id, username: packet.username, remote: connection.remote };
  const { will } = packet;
  decide(connection, "authenticate", [() =>
    options.authenticate?.({
      clientId: id,
      username: packet.username,
      password: packet.password && text.decode(packet.password),
      passwordBytes: packet.password,
      remote: connection.remote,
    }) ?? true], ([refused]) => {
    if (refused) throw new MqttError(refused, `Client "${id}" may not connect`);
    if (!will || !options.authorize) return welcome(connection, packet, client);
    const access = { action: "publish", client, topic: will.topic, qos: will.qos, retain: will.retain } as const;
    decide(connection, "authorize", [() => options.authorize!(access)], ([refused]) => {
      if (refused) throw new MqttError(refused, `Client "${id}" may not have a will on "${will.topic}"`);
      welcome(connection, packet, client);
    });
  });
}

function assignClientId({ dialect }: Connection, clean: boolean): string {
  if (!dialect.assignsClientId(clean)) { // [MQTT-3.1.3-8]
    throw new MqttError(
      "client-identifier-not-valid",
      `Client identifier is empty, which ${dialect.name} permits only with a clean session`,
    );
  }
  return `brook-${crypto.randomUUID()}`;
}

function welcome(connection: Connection, packet: ConnectPacket, client: NonNullable<Connection["client"]>): void {
  const { sessions, options, report } = connection.context, { clean, keepalive, will } = packet;
  const { session, present } = sessions.open(client.id, clean, connection);
  connection.client = client;
  connection.session = session;
  if (will) connection.will = new Message({ ...will, client: client.id });
  connection.accept(options.limits.packet, keepalive * 1500);
  connection.send(connection.dialect.connack(present)); // [MQTT-3.2.0-1]
  report({
    type: "connected",
    client: client.id,
    username: client.username,
    remote: client.remote,
    protocolLevel: packet.protocolVersion,
    clean,
    sessionPresent: present,
    keepAlive: keepalive,
  });
  session.attach(connection);
}
