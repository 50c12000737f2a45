// What a user says of a port becomes an acceptor: TCP, behind a load balancer or not, encrypted or not, in that order.
import type { Clock } from "../clock.ts";
import type { OnFailure } from "./prepared.ts";
import { overProxy } from "./proxy_protocol.ts";
import { listenTcp, type TcpOptions } from "./tcp.ts";
import { overTls, type TlsAcceptor, type TlsIdentity } from "./tls.ts";
import type { Acceptor } from "./transport.ts";

/** A certificate and its key, as the text of PEM files. */
export interface CertificateAndKey {
  /** The certificate, and behind it those between it and its root, if any. */
  readonly cert: string;
  /** The key, not encrypted. */
  readonly key: string;
}

/** Who the server is and whom it trusts. */
export interface TlsServerIdentity extends CertificateAndKey {
  /** Other certificates, by the host name that a client asks for; `*.` in front stands for one level. */
  readonly hosts?: Readonly<Record<string, CertificateAndKey>>;
  /** PEM of the authorities one of which must have issued the client's certificate; without them, clients need none. */
  readonly clientCa?: string;
  /** Default `TLSv1.2`. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
}

/** Where to listen for TCP. */
export interface ListenOptions extends TcpOptions {
  /**
   * Whether connections come through a load balancer that says first whose they are (PROXY protocol, versions 1 and 2).
   * Who else can connect to such a port can claim to be anybody. Default false.
   */
  readonly proxyProtocol?: boolean;
}

/** Where to listen for TLS, by default at port 8883, and who the server is. */
export interface TlsListenOptions extends ListenOptions, TlsServerIdentity {
  /** Milliseconds until the handshake must be done. Default 10,000. */
  readonly handshakeTimeout?: number;
}

/** What the preparation of connections needs of the broker. */
interface Surroundings {
  readonly clock: Clock;
  readonly onFailure: OnFailure;
}

/**
 * Listens as the options say.
 *
 * @throws {Deno.errors.AddrInUse} where the port is taken
 * @throws {TypeError} where a certificate or a key is wrong: which, and what was found
 */
export function acceptorOf(options: ListenOptions | TlsListenOptions, around: Surroundings): Acceptor | TlsAcceptor {
  const tls = "cert" in options ? options : undefined,
    { proxyProtocol, handshakeTimeout = 10_000 } = tls ?? options as TlsListenOptions;
  const tcp = listenTcp(tls ? { port: 8883, ...options } : options);
  try {
    const plain = proxyProtocol ? overProxy(tcp, around) : tcp;
    return tls ? overTls(plain, { ...identityOf(tls), ...around, handshakeTimeout }) : plain;
  } catch (error) {
    tcp.close();
    throw error;
  }
}

/** The same with the names that TLS has for it. */
export function identityOf(
  { cert: certificate, key, hosts = {}, clientCa, minVersion }: TlsServerIdentity,
): TlsIdentity {
  const named = Object.entries(hosts).map(([host, { cert, key }]) => [host, { certificate: cert, key }]);
  return {
    certificate,
    key,
    hosts: Object.fromEntries(named),
    ...clientCa !== undefined && { clientCa },
    ...minVersion && { minVersion },
  };
}
