// Everything that the command listens at, and the line that says so.
import type { Broker, TlsListener } from "../broker.ts";
import { isLoopback } from "../hosts.ts";
import type { TlsListenOptions, TlsServerIdentity } from "../transport/listen.ts";
import { checkAuthorities, checkIdentity, hostNamesOf } from "../transport/pem.ts";
import { withPort } from "../transport/tcp.ts";
import { listenUnix } from "../transport/unix.ts";
import { VERSION } from "../version.ts";
import { readFile } from "./files.ts";
import { isSecured, type Settings } from "./settings.ts";

/** The port of MQTT over WebSocket where none is named. */
const HTTP = 9001;

/** What is listened at. */
export interface Listeners extends Disposable {
  readonly addresses: readonly string[];
  /** Why something that was not asked for is not there. */
  readonly missing: string | undefined;
  readonly tls: TlsListener | undefined;
  /** The address of the page, where there is one. */
  readonly web: string | undefined;
}

/**
 * Listens at all that the settings name.
 *
 * @throws {Error} where that is not possible
 */
export async function listenAll(broker: Broker, settings: Settings): Promise<Listeners> {
  const { host: hostname, port, proxyProtocol, tlsPort, unix, http, https } = settings;
  const end = new AbortController(), addresses: string[] = [];
  let page: string | undefined;
  const web = (port: number, scheme: string, options: object = {}) => {
    const { signal } = end, server = Deno.serve({ hostname, port, signal, onListen() {}, ...options }, broker.fetch);
    addresses.push(`${scheme}://${withPort(hostname, server.addr.port)}`);
    page ??= `${scheme === "ws" ? "http" : "https"}://${withPort(hostname, server.addr.port)}`;
  };
  let tls: TlsListener | undefined, missing: string | undefined;
  addresses.push(attempt("port", hostname, port, () => broker.listen({ hostname, port, proxyProtocol })).address);
  if (tlsPort !== undefined) {
    const options: TlsListenOptions = { hostname, port: tlsPort, proxyProtocol, ...identityOf(settings) };
    tls = attempt<TlsListener>("tls-port", hostname, tlsPort, () => broker.listen(options));
    addresses.push(tls.address);
  }
  if (http !== false) {
    try {
      attempt("http", hostname, http ?? HTTP, () => web(http ?? HTTP, "ws"));
    } catch (error) {
      if (http !== undefined) throw error;
      missing = `No MQTT over WebSocket: ${(error as Error).message}, or --no-http`;
    }
  }
  if (https !== undefined) {
    const { cert, key } = identityOf(settings);
    attempt("https", hostname, https, () => web(https, "wss", { cert, key }));
  }
  if (unix !== undefined) addresses.push(broker.listen(await socketAt(unix)).address);
  return { addresses, missing, tls, web: page, [Symbol.dispose]: () => end.abort() };
}

/**
 * The certificates and what belongs to them, as their files say: all but the first one by the hosts that they name.
 *
 * @throws {Error} where one can't be read
 */
export function identityOf({ cert, key, clientCa }: Settings): TlsServerIdentity {
  const [first, ...others] = cert.map((path, i) => ({ cert: readFile("cert", path), key: readFile("key", key[i]!) }));
  return {
    ...first!,
    hosts: Object.fromEntries(others.flatMap((pair) => hostNamesOf(pair.cert).map((host) => [host, pair]))),
    ...clientCa !== undefined && { clientCa: readFile("client-ca", clientCa) },
  };
}

/**
 * Looks at the files of certificates without listening.
 *
 * @throws {Error} where one can't be read or is wrong
 */
export function checkCertificates(settings: Settings): void {
  if (settings.cert.length === 0) return;
  const { cert: certificate, key, hosts = {}, clientCa } = identityOf(settings);
  checkIdentity({ certificate, key });
  for (const [host, { cert, key }] of Object.entries(hosts)) {
    checkIdentity({ certificate: cert, key }, ` of host "${host}"`);
  }
  if (clientCa !== undefined) checkAuthorities(clientCa, "Client CA");
}

function attempt<T>(flag: string, host: string, port: number, listen: () => T): T {
  try {
    return listen();
  } catch (error) {
    throw new Error(listenFault(error, flag, host, port), { cause: error });
  }
}

function listenFault(error: unknown, flag: string, host: string, port: number): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return `Port ${port} of ${host} is in use: stop the program that has it, or choose another one with --${flag}`;
  }
  if (error instanceof Deno.errors.AddrNotAvailable) return `Host "${host}" is not an address of this machine`;
  if (error instanceof Deno.errors.NotCapable) {
    return `Listening on ${host}:${port} needs the permission --allow-net: deno run --allow-net mod.ts`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `Port ${port} may not be used: ports below 1024 need more rights; choose another one with --${flag}`;
  }
  return `Can't listen on ${host}:${port}: ${(error as Error).message}`;
}

async function socketAt(path: string) {
  try {
    return await listenUnix({ path });
  } catch (error) {
    throw new Error(`--unix: Can't listen at "${path}": ${socketFault(error as Error, path)}`, { cause: error });
  }
}

function socketFault(error: Error, path: string): string {
  if (!(error instanceof Deno.errors.NotCapable)) return error.message;
  if (error.message.includes("net access")) {
    return `it needs the permission --allow-net, or of that unix:${path} and unix:${path}.new, as whole paths`;
  }
  return `it needs the permissions --allow-read=${path},${path}.new --allow-write=${path},${path}.new`;
}

/** Where the broker listens, and who may connect. */
export function startLine({ addresses, web }: Listeners, settings: Settings): string {
  const page = web === undefined ? "" : ` See what it does, publish and subscribe: ${web}`;
  return `Brook ${VERSION} listens on ${addresses.join(", ")}: ${whoMay(settings)}.${page}`;
}

function whoMay(settings: Settings): string {
  const { host, allowAnonymous, passwords, clientCa } = settings, local = isLoopback(host);
  if (isSecured(settings) && !allowAnonymous) {
    const proofs = [...passwords ? ["a password"] : [], ...clientCa ? ["a certificate"] : []].join(" or ");
    return `whoever has ${proofs} may connect${local ? ", from this machine only" : ""}`;
  }
  if (!local) return "everybody on the network may connect, without a password (--allow-anonymous)";
  const how = allowAnonymous ? "" : "; --host 0.0.0.0 --allow-anonymous opens it to the network";
  return `everybody on this machine may connect, nobody else${how}`;
}
