// The first packet (section 3.1): who is it, may it come in, and does it find its session again?
import type { ClientInfo, Credentials } from "../access/access.ts";
import type { ConnackProperties, ConnectPacket } from "../codec/packet.ts";
import { MqttError } from "../errors.ts";
import { Message } from "../message.ts";
import { authenticate } from "./authenticate.ts";
import type { Connection } from "./connection.ts";
import { decide, refusedConnect } from "./decide.ts";
import { reauthorize } from "./reauthorize.ts";
import { faultOf } from "./receive.ts";

const text = new TextDecoder();

/** The greatest session expiry interval that is not for ever, in seconds. */
const LONGEST_EXPIRY = 0xffff_fffe;

/** Answers a CONNECT. */
export function connect(connection: Connection, packet: ConnectPacket): void {
  const { options, admission, sessions } = connection.context, method = packet.properties?.authenticationMethod;
  connection.terms = connection.dialect.terms(packet); // a refusal keeps to them, too
  const id = connection.claimedId = packet.clientId || assignClientId(connection, packet.clean);
  admission.admit(connection, sessions.find(id));
  const { remote } = connection;
  const admit = (username = packet.username ?? certified(connection), data?: Uint8Array) =>
    admitWill(connection, packet, { id, username, remote }, data);
  if (method === undefined && !options.authenticate) return admit();
  const credentials = credentialsOf(connection, packet, { clientId: id, remote });
  if (method !== undefined) {
    return authenticate(
      connection,
      method,
      credentials,
      packet.properties?.authenticationData,
      ({ username, data }) => {
        admit(username, data);
      },
    );
  }
  decide(connection, "authenticate", [() => options.authenticate!(credentials)], ([refused]) => {
    if (refused) throw refusedConnect(refused, `Client "${id}" may not connect`);
    admit();
  });
}

/** The user whom a certificate names. */
function certified({ certificate }: Connection): string | undefined {
  return certificate?.commonName || undefined;
}

function credentialsOf(
  connection: Connection,
  { username, password }: ConnectPacket,
  from: Pick<Credentials, "clientId" | "remote">,
): Credentials {
  const { certificate } = connection, proven = certificate && { certificate };
  return {
    ...from,
    username,
    password: password && text.decode(password),
    passwordBytes: password,
    ...proven,
    endAfter: (delay) => connection.endAfter(delay),
  };
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

function admitWill(
  connection: Connection,
  packet: ConnectPacket,
  client: ClientInfo,
  data: Uint8Array | undefined,
): void {
  const { will } = packet, { authorize } = connection.context.options;
  const fault = will && faultOf(connection, willMessage(connection, will, client));
  if (fault) throw refusedConnect(fault, "");
  if (!will || !authorize) return welcome(connection, packet, client, data);
  const access = { action: "publish", client, topic: will.topic, qos: will.qos, retain: will.retain } as const;
  decide(connection, "authorize", [() => authorize(access)], ([refused]) => {
    if (refused) throw refusedConnect(refused, `Client "${client.id}" may not have a will on "${will.topic}"`);
    welcome(connection, packet, client, data);
  });
}

function welcome(
  connection: Connection,
  packet: ConnectPacket,
  client: ClientInfo,
  data: Uint8Array | undefined,
): void {
  const { sessions, options: { limits }, report } = connection.context, { clean, will } = packet;
  const expiry = Math.min(connection.terms.sessionExpiry, limits.sessionExpiry);
  const keepAlive = connection.dialect.keepAlive(packet.keepalive, limits.keepAlive);
  const about = connection.terms.properties ? details(connection, packet, client, expiry, keepAlive, data) : {};
  connection.requireRoom(connection.dialect.connack(false, about)); // while nothing has happened yet
  if (connection.context.durability?.failing && expiry > 0) {
    throw new MqttError("server-unavailable", "The broker can't store sessions now");
  }
  if (will) {
    connection.will = {
      message: willMessage(connection, will, client),
      delay: will.properties?.willDelayInterval ?? 0,
    };
  }
  const { session, present } = sessions.open(client.id, clean, expiry, connection, connection.will);
  if (connection.ended) return void sessions.close(session, undefined); // by an observer of the end of the former connection
  connection.accept(client, session, keepAlive);
  connection.send(connection.dialect.connack(present, about)); // [MQTT-3.2.0-1]
  report({
    type: "connected",
    client: client.id,
    username: client.username,
    remote: client.remote,
    protocolLevel: packet.protocolVersion,
    clean,
    sessionPresent: present,
    keepAlive,
  });
  if (present) reauthorize(session, connection.context); // what it may do now need not be what it could do then
  session.attach(connection);
}

function willMessage({ context }: Connection, will: NonNullable<ConnectPacket["will"]>, client: ClientInfo): Message {
  const { topic, payload, qos, retain } = will, { willDelayInterval: _, ...properties } = will.properties ?? {};
  return new Message({ topic, payload, qos, retain, client: client.id, properties, acceptedAt: context.turn.now });
}

/** What the broker says of itself (5.0 section 3.2.2.3), where it differs from what the client has asked for or takes for granted. */
function details(
  connection: Connection,
  { clientId, keepalive, properties = {} }: ConnectPacket,
  client: ClientInfo,
  expiry: number,
  keepAlive: number,
  authenticationData: Uint8Array | undefined,
): ConnackProperties {
  const { context: { options }, terms } = connection;
  const { limits } = options, { authenticationMethod } = properties;
  const response = properties.requestResponseInformation ? responseFor(connection, client) : undefined;
  return {
    maximumPacketSize: limits.packet,
    ...limits.receiveMaximum < 65_535 && { receiveMaximum: limits.receiveMaximum },
    ...limits.topicAliases > 0 && { topicAliasMaximum: limits.topicAliases },
    ...expiry !== terms.sessionExpiry && { sessionExpiryInterval: Math.min(expiry, LONGEST_EXPIRY) },
    ...keepAlive !== keepalive && { serverKeepAlive: keepAlive },
    ...clientId === "" && { assignedClientIdentifier: client.id },
    ...response !== undefined && { responseInformation: response },
    ...authenticationMethod !== undefined && { authenticationMethod },
    ...authenticationData && { authenticationData },
  };
}

function responseFor({ context: { options, report } }: Connection, client: ClientInfo): string | undefined {
  try {
    return options.responseInformation?.(client);
  } catch (error) {
    report({ type: "hook-error", hook: "responseInformation", error });
    throw new MqttError("server-unavailable", "There is no response information now");
  }
}
