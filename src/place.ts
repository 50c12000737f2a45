// Where a client comes from, as far as that is one place: its IPv4 address, or the first 64 bits of its IPv6 address, as whoever has one
// has all others that begin so. An IPv4 address that is written as IPv6 (RFC 4291 section 2.5.5.2) is that IPv4 address.
import { isIPv6 } from "node:net";

/** How many groups of 16 bits an IPv6 address has. */
const GROUPS = 8;

/** The place of an address with a port, such as `192.0.2.1` or `2001:db8:0:1::/64`; without the port where it is no such address. */
export function placeOf(remote: string): string {
  const host = remote.replace(/:\d+$/, ""), address = host.replace(/^\[([^\]%]*).*\]$/, "$1");
  return host !== address && isIPv6(address) ? networkOf(address) : host;
}

function networkOf(address: string): string {
  const { hostname } = new URL(`http://[${address}]`); // in hexadecimal groups, also where it was written otherwise
  const [head = [], tail = []] = hostname.slice(1, -1).split("::").map((part) => part === "" ? [] : part.split(":"));
  const groups = [...head, ...Array(GROUPS - head.length - tail.length).fill("0"), ...tail];
  if (groups.slice(0, 6).join() === "0,0,0,0,0,ffff") return groups.slice(6).map(dotted).join(".");
  return `${groups.slice(0, 4).join(":")}::/64`;
}

function dotted(group: string): string {
  const value = parseInt(group, 16);
  return `${value >> 8}.${value & 0xff}`;
}
