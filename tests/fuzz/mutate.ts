// What goes wrong with packets, one thing at a time: a field, a length, a property, or the order of things; so that the rest of the
// packet is right, and is read, and what is behind the fault is reached.
import { Buffer } from "node:buffer";
import type { Random } from "./random.ts";
import { type Branch, branch, bytesOf, copyOf, isLeaf, type Leaf, leaf, type Node, nodesOf } from "./tree.ts";

/** Text that is none: an overlong NUL, a surrogate, one beyond Unicode, a part of a character; or that is not permitted. */
const badTexts = ["c080", "eda080", "f4908080", "e282", "ff", "00", "6100", "2b", "23", "612f23", "2b61", "efbbbf"];

/** The identifiers of properties, of clients and of servers, and some that there are not. */
const propertyIds = [...Buffer.from("0001020308090b111213151617181a191c1f2122232426272a28297f80", "hex")];

const edges = [0, 1, 2, 3, 4, 5, 0x10, 0x7f, 0x80, 0xfe, 0xff];

const lies = [1, -1, 2, -2, 3, 5, 127, -127, 128, 1000, 65_535, 2_097_152, 268_435_455];

/** Packets are not made larger than this, in bytes. */
const LARGEST = 150_000;

/** A packet like this one, with something changed; parts may come from `donor`. */
export function mutated(random: Random, packet: Branch, donor: Branch): Branch {
  const tree = copyOf(packet), nodes = [...nodesOf(tree)];
  if (random.oneIn(25)) return damaged(random, bytesOf(tree));
  const node = random.pick(nodes);
  if (isLeaf(node)) changeLeaf(random, node);
  else if (random.oneIn(2) && node.length !== "none") changeLength(random, node);
  else changeOrder(random, node, donor);
  return bytesOf(tree).length > LARGEST ? packet : tree;
}

/** Bytes that are taken as they are: cut off, with bits turned over, or with others put in. */
function damaged(random: Random, bytes: Buffer): Branch {
  const at = random.below(bytes.length + 1), own = Buffer.from(bytes);
  if (at < own.length) own[at]! ^= 1 << random.below(8);
  const more = random.pick([
    [],
    [0],
    [0xff, 0xff, 0xff, 0xff, 0x7f],
    random.list(random.below(9), () => random.below(256)),
  ]);
  const whole = [own.subarray(0, at), Buffer.from(more), own.subarray(at)];
  return branch("none", leaf("raw", random.oneIn(3) ? own.subarray(0, at) : Buffer.concat(whole)));
}

function changeLeaf(random: Random, node: Leaf): void {
  const own = node.bytes = Buffer.from(node.bytes), size = own.length;
  const change = random.weighted<() => unknown>([
    [node.role === "property" ? 8 : 0, () => own[0] = random.pick(propertyIds)],
    [node.role === "text" ? 8 : 0, () => node.bytes = withText(random, own)],
    [1, () => node.bytes = Buffer.concat([own, Buffer.from([random.pick(edges)])])],
    [1, () => node.bytes = own.subarray(0, random.below(size))],
    [size > 0 ? 4 : 0, () => own[random.below(size)]! ^= 1 << random.below(8)],
    [size > 0 ? 2 : 0, () => own[random.below(size)] = random.pick(edges)],
    [size < 5 ? 2 : 0, () => own.fill(random.pick([0, 0xff]))],
  ]);
  change();
}

function withText(random: Random, text: Buffer): Buffer {
  const bad = Buffer.from(random.pick(badTexts), "hex"), at = random.below(text.length + 1);
  return Buffer.concat([text.subarray(0, at), bad, random.oneIn(2) ? text.subarray(at) : Buffer.alloc(0)]);
}

function changeLength(random: Random, node: Branch): void {
  if (node.length === "varint" && random.oneIn(4)) node.width = 2 + random.below(4);
  else node.lie += random.pick(lies);
}

function changeOrder(random: Random, { children }: Branch, donor: Branch): void {
  const size = children.length, at = random.below(size + 1), other = random.below(size);
  const change = random.weighted<() => unknown>([
    [size > 0 ? 3 : 0, () => children.splice(other, 1)],
    [size > 0 ? 3 : 0, () => children.splice(at, 0, copyOf(children[other]!))],
    [size > 1 ? 2 : 0, () => [children[0], children[other]] = [children[other]!, children[0]!]],
    [3, () => children.splice(at, 0, copyOf(random.pick<Node>([...nodesOf(donor)])))],
  ]);
  change();
}
