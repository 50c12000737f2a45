/**
 * Brook: an MQTT broker for Deno with reactive routing.
 *
 * Run it: `deno run --allow-net mod.ts`. Embed it: {@linkcode createBroker}. Extend it: RxJS operators in `routing`.
 *
 * @module
 */
export type {
  Access,
  Authenticate,
  Authorize,
  ClientInfo,
  Credentials,
  Decision,
  Refusal,
} from "./src/access/access.ts";
export { aclRules } from "./src/access/acl.ts";
export type { Authenticated, AuthenticationExchange, AuthenticationMethod } from "./src/access/authentication.ts";
export { allOf, anyOf, type Hook } from "./src/access/compose.ts";
export { passwordEntry } from "./src/access/password_file.ts";
export { type PasswordOptions, passwords } from "./src/access/passwords.ts";
export type { Replaceable } from "./src/access/replaceable.ts";
export { type ScramSecret, scramSecret, type ScramSecrets, scramSha256 } from "./src/access/scram.ts";
export { Broker, createBroker, type PublishOptions, type TlsListener } from "./src/broker.ts";
export type { Clock } from "./src/clock.ts";
export type {
  AckPacket,
  AuthPacket,
  ClientPacket,
  ConnackPacket,
  ConnackProperties,
  ConnectPacket,
  DeliveredProperties,
  DisconnectPacket,
  Packet,
  PingPacket,
  ProtocolLevel,
  PublishPacket,
  ReasonProperties,
  ReceivedPublish,
  ServerPacket,
  SubackPacket,
  SubscribePacket,
  SubscriptionRequest,
  UnsubscribePacket,
  WillPacket,
} from "./src/codec/packet.ts";
export type { MessageProperties, Properties } from "./src/codec/properties.ts";
export type { PacketTrace } from "./src/connection/trace.ts";
export type { Listener } from "./src/connection/connections.ts";
export { MqttError, type Reason, reasonCode } from "./src/errors.ts";
export type { BrokerEvent, DisconnectReason, DropReason } from "./src/events.ts";
export type { Pages, RequestInfo } from "./src/front.ts";
export type { LedgerEntry, LedgerQuery, Loss } from "./src/ledger.ts";
export { Message, type MessageChanges, type MessageFields, type Payload, type QoS } from "./src/message.ts";
export type { ClientStatus, Gauges, Status } from "./src/observe/status.ts";
export {
  type Instrument,
  type InstrumentOptions,
  type Measured,
  type Meter,
  type MeterProvider,
  type Observe,
  otelMetrics,
} from "./src/observe/otel.ts";
export * from "./src/operators/mod.ts";
export type { BrokerOptions, Limits, RoutingOperator, Size } from "./src/options.ts";
export type { ChooseOverload, OverloadContext, OverloadPolicy } from "./src/overload.ts";
export type { TopicOptions } from "./src/routing/observe_topic.ts";
export { MemoryStore } from "./src/store/memory.ts";
export {
  type DeliveryTerms,
  type SessionState,
  type Store,
  type StoredDelivery,
  type StoredMessage,
  type StoredSession,
  StoreError,
  type StoreFault,
  type SubscriptionTerms,
  type WillTerms,
} from "./src/store/store.ts";
export { type Captures, matches } from "./src/topics/filter.ts";
export { memoryPair } from "./src/transport/memory.ts";
export type { CertificateAndKey, ListenOptions, TlsListenOptions, TlsServerIdentity } from "./src/transport/listen.ts";
export type { TcpOptions } from "./src/transport/tcp.ts";
export { listenUnix, type UnixOptions } from "./src/transport/unix.ts";
export type { Acceptor, ByteStream, ClientCertificate } from "./src/transport/transport.ts";
export type { TrafficCounts } from "./src/traffic.ts";
export { VERSION } from "./src/version.ts";
/** RxJS, as Brook itself uses it: operators of another copy work, but their types do not fit. */
export * as rx from "./src/rx.ts";

if (import.meta.main) {
  const { main } = await import("./src/cli.ts");
  await main(Deno.args);
}
