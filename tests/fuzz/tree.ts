// A packet as a tree of its fields, with the lengths between them: what a mutation needs in order to change one thing and leave
// the rest as it was, or to lie about a length. From here to bytes there is no rule of MQTT any more.
import { Buffer } from "node:buffer";

/** What a field is, for a mutation that knows what would be worse there; "raw" is whatever has no meaning of its own. */
export type Role = "header" | "property" | "flags" | "number" | "text" | "raw";

/** Bytes. */
export interface Leaf {
  readonly role: Role;
  bytes: Buffer;
}

/** Nodes one behind the other, with their length in front where they have one. */
export interface Branch {
  readonly length: "none" | "uint16" | "varint";
  /** What is added to the true length. */
  lie: number;
  /** Bytes that the length takes at least, where it is a variable byte integer. */
  width: number;
  children: Node[];
}

export type Node = Leaf | Branch;

export function isLeaf(node: Node): node is Leaf {
  return "bytes" in node;
}

/** A field of bytes. */
export function leaf(role: Role, bytes: Uint8Array | readonly number[]): Leaf {
  return { role, bytes: Buffer.from(bytes) };
}

/** Nodes, and what their length looks like. */
export function branch(length: Branch["length"], ...children: Node[]): Branch {
  return { length, lie: 0, width: 1, children };
}

/** A number of a fixed size in bytes. */
export function number(value: number, size: 1 | 2 | 4, role: Role = "number"): Leaf {
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeUIntBE(value, 0, size);
  return { role, bytes };
}

/** Text or binary data behind its length. */
export function counted(value: string | Uint8Array): Branch {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  return branch("uint16", leaf(typeof value === "string" ? "text" : "raw", bytes));
}

/** A variable byte integer of at least `width` bytes. */
export function varint(value: number, width = 1): Buffer {
  const bytes: number[] = [];
  for (let rest = value; rest > 0 || bytes.length < width; rest = Math.floor(rest / 128)) bytes.push(rest % 128 | 0x80);
  bytes.push(bytes.pop()! & 0x7f);
  return Buffer.from(bytes);
}

/** The bytes of a tree. */
export function bytesOf(node: Node): Buffer {
  const parts: Buffer[] = [];
  collect(node, parts);
  return Buffer.concat(parts);
}

/** Appends the bytes of a node to `parts`; returns how many there are. */
function collect(node: Node, parts: Buffer[]): number {
  if (isLeaf(node)) {
    parts.push(node.bytes);
    return node.bytes.length;
  }
  if (node.length === "none") return collectAll(node.children, parts);
  const at = parts.push(nothing) - 1, size = collectAll(node.children, parts), said = Math.max(0, size + node.lie);
  const prefix = parts[at] = node.length === "varint" ? varint(said, node.width) : number(said & 0xffff, 2).bytes;
  return prefix.length + size;
}

function collectAll(nodes: readonly Node[], parts: Buffer[]): number {
  return nodes.reduce((sum, node) => sum + collect(node, parts), 0);
}

const nothing = Buffer.alloc(0);

/** A tree that can be changed without changing this one. */
export function copyOf<N extends Node>(node: N): N {
  if (isLeaf(node)) return { ...node };
  return { ...node, children: (node as Branch).children.map(copyOf) };
}

/** Every node, each before its children. */
export function* nodesOf(node: Node): Generator<Node, void, undefined> {
  yield node;
  if (!isLeaf(node)) { for (const child of node.children) yield* nodesOf(child); }
}
