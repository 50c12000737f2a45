// Stores that forget on purpose: a broker that did not tell them, or told them too late, would look the same. The simulation has to notice
// after a crash.
import { type BrokerOptions, createBroker } from "../../mod.ts";
import type { Store } from "../../src/store/store.ts";
import type { Fault } from "./faults.ts";
import { instead } from "./mortal_store.ts";

/** Every so often a fault shows. */
const PERIOD = 7;

type Method = Exclude<keyof Store, "pending" | "urgent">;

/** All kinds of faults of what outlives a broker. */
export const storeFaults: readonly Fault[] = [
  fault("acknowledges before it commits", / waits in vain | gets .* before |does not find/, "commit", seldom),
  fault("loses all sessions at a crash", / does not find its session/, "sessions", () => () => []),
  fault("loses all retained messages at a crash", / waits in vain | gets .* before /, "retained", () => () => []),
  fault("does not store a session", / does not find its session|is not stored/, "saveSession", sometimes),
  fault("does not store the end of a session", / finds a session where there is none|unexpectedly/, "deleteSession"),
  fault("does not store a subscription", / waits in vain | gets .* before /, "saveSubscription"),
  fault("does not store the end of a subscription", / unexpectedly| with QoS | identifiers /, "deleteSubscription"),
  fault("does not store a will", / is not published/, "saveWill"),
  fault("does not store that a will is gone", /, and must not be/, "deleteWill"),
  fault("does not store a message", / waits in vain | gets .* before /, "addDelivery"),
  fault("does not store that a message was sent", / DUP false| with the packet identifier /, "sent"),
  fault("does not store that a message was acknowledged", / unexpectedly/, "deleteDelivery"),
  fault("does not store what it has received at QoS 2", / unexpectedly|, not "pubcomp/, "addReceived"),
  fault("does not store that a client has released an identifier", / waits in vain |, not "pubcomp/, "deleteReceived"),
  fault("does not store what it has released", /pubrel/, "addReleased"),
  fault("does not store that an identifier is free", /pubrel/, "deleteReleased"),
  fault("does not store a retained message", / waits in vain | gets .* before | unexpectedly/, "retain"),
  fault("does not store that no message is retained", / unexpectedly/, "deleteRetained"),
];

/** Every so often the call is left out. */
function sometimes(): Instead {
  let count = 0;
  return (call) => ++count % PERIOD === 0 ? undefined : call();
}

/** Only every so often it is not. */
function seldom(): Instead {
  let count = 0;
  return (call) => ++count % (10 * PERIOD) === 0 ? call() : undefined;
}

/** What a method does instead. */
type Instead = (call: () => unknown) => unknown;

function fault(
  name: string,
  noticed: RegExp,
  method: Method,
  newInstead: () => Instead = () => () => undefined,
): Fault {
  const start = (options: BrokerOptions) => {
    const fail = newInstead(), store = instead(options.store!, (name, call) => name === method ? fail(call) : call());
    return createBroker({ ...options, store });
  };
  return { name, noticed, durable: true, start };
}
