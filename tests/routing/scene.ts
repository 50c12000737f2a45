// A router with what goes into it and what comes out, and operators for its stages.
import type { BrokerEvent } from "../../src/events.ts";
import { Message } from "../../src/message.ts";
import type { RoutingOperator } from "../../src/options.ts";
import { Router } from "../../src/routing/router.ts";
import * as rx from "../../src/rx.ts";

/** A message of nothing but a topic. */
export function messageOf(topic: string): Message {
  return new Message({ topic, payload: new Uint8Array(), qos: 0, retain: false, client: undefined });
}

/** A router, and what has come out of it. */
export class Scene {
  readonly events: BrokerEvent[] = [];
  readonly published: string[] = [];
  readonly routed: string[] = [];
  readonly router: Router;

  constructor(...operators: readonly RoutingOperator[]) {
    this.router = new Router(operators, (event) => this.events.push(event));
    this.router.published.subscribe(({ topic }) => this.published.push(topic));
    this.router.routed.subscribe(({ topic }) => this.routed.push(topic));
  }

  publish(...topics: readonly string[]): void {
    for (const topic of topics) this.router.incoming.next(messageOf(topic));
  }

  /** The events, as `type:topic:what`. */
  reports(): string[] {
    return this.events.map((event) => {
      if (event.type === "routing-error") return `${event.type}:${event.topic}:${(event.error as Error).message}`;
      return event.type === "dropped" ? `${event.type}:${event.topic}:${event.reason}*${event.count}` : event.type;
    });
  }
}

/** An operator that marks what passes. */
export function mark(sign: string): RoutingOperator {
  return rx.map((message) => message.with({ topic: message.topic + sign }));
}

/** An operator that does something on the way. */
export function on(topic: string, action: () => void): RoutingOperator {
  return rx.tap((message) => message.topic === topic && action());
}

/** An operator that holds everything until it is told to let it go. */
export function held(): { readonly operator: RoutingOperator; readonly release: () => void } {
  const gate = new rx.Subject<void>();
  return { operator: rx.delayWhen(() => gate), release: () => gate.next() };
}

/** A handler that throws. */
export function fail(): never {
  throw new Error("failed");
}
