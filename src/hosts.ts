// The names by which a web server may be asked. Somebody's page can be served under a name that its owner lets mean, a moment later, an
// address that only the browser reaches, this machine's included (DNS rebinding): for the browser the broker is then the page's own
// server. Invariant: a name that somebody on the internet can own counts only where a user has named it, or a certificate has proven it.

/** Names that nobody on the internet owns: those without a dot, and those under the domains of local networks. */
const LOCAL = /^[^.]+$|\.(localhost|local|lan|internal|home\.arpa)$/;

/** What a URL makes of an address, whatever way it was written. */
const ADDRESS = /^\[.*\]$|^\d+(\.\d+){3}$/;

/**
 * What is wrong with the host that a request names; nothing where it may be asked by that.
 *
 * @param names other hosts, without a port; `*` stands for all
 */
export function hostFault({ url }: Request, names: readonly string[]): string | undefined {
  const { protocol, hostname } = new URL(url);
  if (protocol === "https:" || ADDRESS.test(hostname) || LOCAL.test(hostname)) return undefined;
  if (names.includes("*") || names.includes(hostname)) return undefined;
  return `Host "${hostname}" is not known here: it has to be an address, a local name such as "localhost", or that of an origin ` +
    `which the broker was told of, such as by --origin http://${hostname}`;
}

/** Whether only this machine reaches an address, in a URL or by itself. */
export function isLoopback(host: string): boolean {
  return /^(localhost|::1|\[::1\]|127(\.\d{1,3}){3})$/.test(host);
}

/** The hosts of origins such as `https://example.org`; `*` stays what it is. */
export function hostsOf(origins: readonly string[]): string[] {
  return origins.map((origin) => URL.canParse(origin) ? new URL(origin).hostname : origin);
}
