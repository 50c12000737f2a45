// One header of the PROXY protocol, as bytes. It is looked at anew with every piece that comes, and refused at the
// first byte that can't be part of one: headers are short, and nearly all come at once.
import { isIPv4, isIPv6 } from "node:net";
import { withPort } from "./tcp.ts";

/** A header that is whole. */
export interface ProxyHeader {
  /** Its size in bytes. */
  readonly length: number;
  /** Address and port of the client; undefined where the proxy speaks for itself, or does not know. */
  readonly source: string | undefined;
}

const latin = new TextDecoder("latin1");

const TEXT = encoded("PROXY "), SIGNATURE = encoded("\r\n\r\n\0\r\nQUIT\n");

/** Bytes of the longest line of version 1, with its end. */
const LINE = 107;

const LINE_FORM = /^PROXY (?:(UNKNOWN)(?: .*)?|TCP([46]) ([\da-fA-F:.]+) ([\da-fA-F:.]+) (\d{1,5}) (\d{1,5}))$/s;

/** Bytes of version 2 in front of the addresses, and the two commands. */
const FIXED = 16, LOCAL = 0x20, PROXY = 0x21;

/** Bytes of one address of version 2, by what the header says of its kind; the last two are paths, without ports. */
const kinds = new Map([[0x00, 0], [0x11, 4], [0x12, 4], [0x21, 16], [0x22, 16], [0x31, 108], [0x32, 108]]);

/**
 * The header at the start of `input`, or undefined while it is not whole.
 *
 * @throws {Error} where it is no header, or one of more than `limit` bytes
 */
export function parseHeader(input: Uint8Array, limit: number): ProxyHeader | undefined {
  if (startsAs(input, TEXT)) return parseLine(input);
  if (startsAs(input, SIGNATURE)) return parseBinary(input, limit);
  throw new Error(`Connection begins with "${hex(input.subarray(0, SIGNATURE.length))}", not with a PROXY header`);
}

/** As far as both go, they are the same. */
function startsAs(input: Uint8Array, wanted: Uint8Array): boolean {
  return wanted.every((byte, i) => i >= input.length || byte === input[i]);
}

function parseLine(input: Uint8Array): ProxyHeader | undefined {
  const text = latin.decode(input.subarray(0, LINE)), end = text.indexOf("\r\n");
  if (end < 0 && text.length < LINE) return undefined;
  const [matched, unknown, family, ...fields] = LINE_FORM.exec(text.slice(0, Math.max(end, 0))) ?? [];
  const [source = "", target = "", port = "", targetPort = ""] = fields;
  const valid = unknown || [source, target].every(family === "4" ? isIPv4 : isIPv6) && [port, targetPort].every(isPort);
  if (!matched || !valid) throw new Error(`PROXY header ${JSON.stringify(text)} is not valid`);
  return { length: end + 2, source: unknown ? undefined : withPort(canonical(source), Number(port)) };
}

function parseBinary(input: Uint8Array, limit: number): ProxyHeader | undefined {
  const [command = LOCAL, kind = 0] = input.subarray(SIGNATURE.length), size = kinds.get(kind);
  if (command !== LOCAL && command !== PROXY) {
    throw new Error(`PROXY header has version and command 0x${hex([command])}`);
  }
  if (command === PROXY && size === undefined) throw new Error(`PROXY header has addresses of kind 0x${hex([kind])}`);
  if (input.length < FIXED) return undefined;
  const view = new DataView(input.buffer, input.byteOffset), length = FIXED + view.getUint16(FIXED - 2);
  if (length > limit) throw new Error(`PROXY header has ${length} bytes, not at most ${limit}`);
  if (input.length < length) return undefined;
  if (command === LOCAL || !size) return { length, source: undefined };
  const ports = FIXED + 2 * size, hasPorts = size <= 16;
  checkFields(view, ports + (hasPorts ? 4 : 0), length);
  if (!hasPorts) return { length, source: undefined };
  return { length, source: withPort(addressText(input.subarray(FIXED, FIXED + size)), view.getUint16(ports)) };
}

/**
 * What follows the addresses is not used, but has to fit: fields of a type, a length of two bytes and so many bytes.
 */
function checkFields(view: DataView, start: number, end: number): void {
  let at = start;
  while (at + 3 <= end) at += 3 + view.getUint16(at + 1);
  if (at !== end) throw new Error(`PROXY header has ${end} bytes, which its fields do not fill`);
}

function addressText(address: Uint8Array): string {
  if (address.length === 4) return address.join(".");
  return canonical(hex(address).replace(/....(?!$)/g, "$&:"));
}

/** An address as it is usually written. */
function canonical(address: string): string {
  return address.includes(":") ? new URL(`ws://[${address}]`).hostname.slice(1, -1) : address;
}

function isPort(text: string): boolean {
  return /^(0|[1-9]\d*)$/.test(text) && Number(text) <= 65_535;
}

function hex(bytes: Uint8Array | readonly number[]): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
