// What a perfect store would be like: a broker that goes on where it was when it crashed or closed, but for its connections, which
// break. It takes its time from whichever clock the last start has brought.
import { type Broker, type BrokerOptions, type ByteStream, type Clock, createBroker } from "../../mod.ts";
import type { Deployment } from "./stage.ts";

/** A broker that outlives its end; it is for one run. */
export class Survivor implements Deployment {
  readonly durable = true;
  readonly #clock = new RelayedClock();
  #broker: Broker | undefined;
  #end: PromiseWithResolvers<never> | undefined;

  /** Hooks are left out: one that is asked when the broker ends would never answer. */
  start({ clock, limits }: BrokerOptions): Broker {
    this.#end?.reject(new Deno.errors.ConnectionReset("The broker has ended"));
    this.#end = Promise.withResolvers();
    this.#end.promise.catch(() => {}); // there may be no connection
    this.#clock.relay(clock!);
    return this.#broker ??= this.#create(limits!);
  }

  #create(limits: BrokerOptions["limits"] & object): Broker {
    const broker = createBroker({ limits, clock: this.#clock }), accept = broker.accept.bind(broker);
    broker.accept = (stream) => accept(breakable(stream, this.#end!.promise));
    broker.close = () => {
      this.#clock.pause();
      return Promise.resolve();
    };
    return broker;
  }
}

function breakable(stream: ByteStream, end: Promise<never>): ByteStream {
  let ended = false;
  end.catch(() => ended = true);
  return {
    ...stream,
    read: (buffer) => ended ? end : Promise.race([stream.read(buffer), end]),
    write: (bytes) => ended ? end : Promise.race([stream.write(bytes), end]),
  };
}

interface Timer {
  readonly callback: () => void;
  readonly due: number;
  cancel: () => void;
}

/** A clock that takes its time from another one, which may be replaced. */
class RelayedClock implements Clock {
  readonly #timers = new Set<Timer>();
  #source: Clock | undefined;
  #paused = false;

  relay(source: Clock): void {
    this.#source = source;
    this.#paused = false;
    for (const timer of this.#timers) this.#run(timer);
  }

  pause(): void {
    this.#paused = true;
    for (const { cancel } of this.#timers) cancel();
  }

  now(): number {
    return this.#source!.now();
  }

  schedule(callback: () => void, delay: number): () => void {
    const timer: Timer = { callback, due: this.now() + delay, cancel: () => {} };
    this.#timers.add(timer);
    this.#run(timer);
    return () => {
      this.#timers.delete(timer);
      timer.cancel();
    };
  }

  #run(timer: Timer): void {
    if (this.#paused) return;
    timer.cancel = this.#source!.schedule(() => {
      this.#timers.delete(timer);
      timer.callback();
    }, timer.due - this.now());
  }
}
