// MQTT over TLS, on top of any other acceptor. Deno's own listener knows no certificates of clients, no host names and
// no change of its certificate, so this rests on node:tls. The handshakes of new connections are done here, each within
// its time: only connections that are encrypted, and whose client has shown its certificate where that is wanted, are
// handed on.
import {
  createSecureContext,
  createServer,
  type SecureContext,
  type Server,
  type TlsOptions as TlsServerOptions,
} from "node:tls";
import { type Clock, systemClock } from "../clock.ts";
import { checkAuthorities, checkIdentity, type Identity } from "./pem.ts";
import { type OnFailure, prepared } from "./prepared.ts";
import { listenTcp, type TcpOptions } from "./tcp.ts";
import { TlsStream, Wire } from "./tls_stream.ts";
import type { Acceptor, ByteStream } from "./transport.ts";

/** Who the server is and whom it trusts; may be replaced while it runs. */
export interface TlsIdentity extends Identity {
  /** Other certificates, by the host name that a client asks for; `*.` in front stands for one level. */
  readonly hosts?: Readonly<Record<string, Identity>>;
  /** PEM of the authorities one of which must have issued the client's certificate; without them, clients need none. */
  readonly clientCa?: string;
  /** Default `TLSv1.2`. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
}

/** How TLS is served. */
export interface TlsOptions extends TlsIdentity {
  /** Milliseconds until the handshake must be done. Default 10,000. */
  readonly handshakeTimeout?: number;
  /** Told of each connection that is closed because its handshake failed. */
  readonly onFailure?: OnFailure;
  /** Where the time comes from; default: the machine's. */
  readonly clock?: Clock;
}

/** An acceptor of TLS connections. */
export interface TlsAcceptor extends Acceptor {
  /**
   * Serves new connections with other certificates; those that exist go on. Where this throws, nothing has changed.
   *
   * @throws {TypeError} where a certificate or a key is wrong
   */
  replace(identity: TlsIdentity): void;
}

/** What becomes of an identity: servers of node:tls. */
interface Servers {
  create(): Server;
  readonly wantsCertificate: boolean;
  /** Those that can be used for the next handshakes. */
  readonly spare: Server[];
}

/** Servers that are kept for the next handshakes. */
const SPARE = 64;

/**
 * Listens for TLS on a TCP port.
 *
 * @param options of which the port is 8883 by default
 * @throws {Deno.errors.AddrInUse} where the port is taken
 * @throws {TypeError} where a certificate or a key is wrong: which, and what was found
 */
export function listenTls({ port = 8883, hostname, ...options }: TlsOptions & TcpOptions): TlsAcceptor {
  const handshakes = new Handshakes(options);
  return secured(listenTcp({ port, ...hostname !== undefined && { hostname } }), handshakes, options);
}

/**
 * TLS over the connections of another acceptor.
 *
 * @throws {TypeError} where a certificate or a key is wrong: which, and what was found
 */
export function overTls(acceptor: Acceptor, options: TlsOptions): TlsAcceptor {
  return secured(acceptor, new Handshakes(options), options);
}

function secured(acceptor: Acceptor, handshakes: Handshakes, { onFailure, clock }: TlsOptions): TlsAcceptor {
  return {
    ...prepared(acceptor, (stream) => handshakes.shake(stream), { onFailure, clock }),
    address: acceptor.address.replace(/^mqtt\b/, "mqtts"),
    replace: (identity) => handshakes.replace(identity),
  };
}

/**
 * The handshakes of one acceptor. A server of node:tls does not tell whose connection it has secured, so each handshake
 * has one for itself while it lasts; that of one that went well is used again.
 */
class Handshakes {
  readonly #timeout: number;
  readonly #clock: Clock;
  #servers: Servers;

  constructor({ handshakeTimeout = 10_000, clock = systemClock, ...identity }: TlsOptions) {
    this.#timeout = handshakeTimeout;
    this.#clock = clock;
    this.#servers = serversOf(identity);
  }

  replace(identity: TlsIdentity): void {
    this.#servers = serversOf(identity);
  }

  /** Resolves to the encrypted connection over another one. */
  async shake(stream: ByteStream): Promise<ByteStream> {
    const wire = new Wire(stream),
      { create, spare, wantsCertificate } = this.#servers,
      server = spare.pop() ?? create();
    const { promise, resolve, reject } = Promise.withResolvers<TlsStream>();
    const late = () => reject(new Error(`It took more than ${this.#timeout} ms`));
    const gone = () => reject(new Error("The connection was closed"));
    const cancel = this.#clock.schedule(late, this.#timeout);
    wire.on("error", reject).on("close", gone).on("end", gone);
    server.on("tlsClientError", reject);
    server.on("secureConnection", (socket) => resolve(new TlsStream(socket, wire, stream.remote)));
    server.emit("connection", wire);
    try {
      const secure = await promise;
      if (wantsCertificate && !secure.certificate) throw new Error("The client has shown no certificate");
      server.removeAllListeners("tlsClientError").removeAllListeners("secureConnection");
      if (spare.length < SPARE) spare.push(server);
      return secure;
    } catch (error) {
      wire.destroy();
      throw new Error(`TLS handshake failed: ${(error as Error).message}`, { cause: error });
    } finally {
      cancel();
    }
  }
}

function serversOf(identity: TlsIdentity): Servers {
  const { certificate, key, hosts = {}, clientCa, minVersion = "TLSv1.2" } = identity;
  checkIdentity({ certificate, key });
  for (const [host, identity] of Object.entries(hosts)) checkIdentity(identity, ` of host "${host}"`);
  if (clientCa !== undefined) checkAuthorities(clientCa, "Client CA");
  const wantsCertificate = clientCa !== undefined, common = { minVersion, ...wantsCertificate && { ca: clientCa } };
  const contexts = new Map<string, SecureContext>();
  for (const [host, { certificate: cert, key }] of Object.entries(hosts)) {
    contexts.set(host.toLowerCase(), createSecureContext({ ...common, cert, key }));
  }
  const options: TlsServerOptions = {
    ...common,
    cert: certificate,
    key,
    requestCert: wantsCertificate,
    rejectUnauthorized: wantsCertificate,
    allowHalfOpen: true,
    handshakeTimeout: 0, // has its own
    SNICallback: (host, found) => found(null, contextOf(host, contexts)),
  };
  return { create: () => createServer(options), wantsCertificate, spare: [] };
}

function contextOf(host: string, contexts: ReadonlyMap<string, SecureContext>): SecureContext | undefined {
  const name = host.toLowerCase();
  return contexts.get(name) ?? contexts.get(name.replace(/^[^.]+/, "*"));
}
