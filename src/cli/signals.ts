// Signals of the system as calls.

/** Stops on SIGINT and SIGTERM, where a second one does not wait for the clients; reloads on SIGHUP. */
export function onSignals(stop: AbortController, reload: () => void): Disposable {
  const end = () => stop.signal.aborted ? Deno.exit(130) : stop.abort();
  const windows = Deno.build.os === "windows";
  const handlers: readonly (readonly [Deno.Signal, () => void])[] = windows
    ? [["SIGINT", end]]
    : [["SIGINT", end], ["SIGTERM", end], ["SIGHUP", reload]];
  for (const [signal, handler] of handlers) Deno.addSignalListener(signal, handler);
  return {
    [Symbol.dispose]() {
      for (const [signal, handler] of handlers) Deno.removeSignalListener(signal, handler);
    },
  };
}
