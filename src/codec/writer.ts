// Writes the fields that packets are made of (3.1.1 section 1.5, 5.0 section 1.5) into a buffer that was made large
// enough.
import { Buffer } from "node:buffer";

/** The bytes that a string takes in UTF-8. */
export function utf8Length(text: string): number {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text);
  return text.length;
}

/** The bytes that a variable byte integer takes. */
export function varintLength(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

/**
 * Writes text that takes `length` bytes; returns the place behind it. Topics are short and ASCII: a loop beats a call.
 */
export function writeText(buffer: Buffer, text: string, length: number, at: number): number {
  if (length !== text.length || length > 100) {
    buffer.write(text, at);
  } else {
    for (let i = 0; i < length; i++) buffer[at + i] = text.charCodeAt(i);
  }
  return at + length;
}

/** Writes a variable byte integer; returns the place behind it. */
export function writeVarint(buffer: Buffer, value: number, at: number): number {
  while (value >= 0x80) {
    buffer[at++] = value & 0x7f | 0x80;
    value >>>= 7;
  }
  buffer[at++] = value;
  return at;
}

/** Writes a two byte integer; returns the place behind it. */
export function writeUint16(buffer: Buffer, value: number, at: number): number {
  buffer[at] = value >>> 8;
  buffer[at + 1] = value & 0xff;
  return at + 2;
}

/** Copies the bytes from `start` to `end`: a loop for a few, a call for many. */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  if (end - start > 100) target.set(source.subarray(start, end), at);
  else while (start < end) target[at++] = source[start++]!;
}
