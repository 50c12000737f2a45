// The part of MQTT.js that mqttjs.ts uses. Its own types bring those of Node along, which would then hold in every other test too.
import type { QoS } from "../../src/message.ts";

export interface ClientOptions {
  readonly clientId: string;
  readonly protocolVersion: number;
  readonly protocolId: string;
  readonly reconnectPeriod: number;
  readonly clean?: boolean;
  readonly will?: Publication & { readonly topic: string; readonly payload: string };
}

interface Publication {
  readonly qos: QoS;
  readonly retain: boolean;
}

export interface Client {
  on(event: "message", listener: (topic: string, payload: Uint8Array, packet: Publication) => void): this;
  once(event: "connect", listener: () => void): this;
  once(event: "error", listener: (error: Error) => void): this;
  subscribeAsync(filters: string[], options: { readonly qos: QoS }): Promise<{ readonly qos: number }[]>;
  publishAsync(topic: string, payload: string, options: Publication): Promise<unknown>;
  /** `force` leaves out DISCONNECT. */
  endAsync(force?: boolean): Promise<void>;
  /** The connection, piped into the parser. */
  readonly stream: { unpipe(): { pause(): void } };
}

declare const mqtt: { connect(address: string, options: ClientOptions): Client };
export default mqtt;
