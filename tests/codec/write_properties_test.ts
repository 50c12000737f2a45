// The properties of a PUBLISH to a subscriber: those of its message, and those that the delivery adds.
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import {
  type DeliveryProperties,
  type MessageProperties,
  propertiesLength,
  readProperties,
  writeProperties,
} from "../../src/codec/properties.ts";
import { Reader } from "../../src/codec/reader.ts";
import { varintLength, writeVarint } from "../../src/codec/writer.ts";
import { fields, type Part } from "../support/packets.ts";

type Extra = Partial<DeliveryProperties>;

const nothing: DeliveryProperties = { identifiers: undefined, expiry: undefined, alias: undefined };

/** Writes properties, which must take as much room as was said. */
function written(properties: MessageProperties | undefined, extra: Extra = {}): Buffer {
  const all = { ...nothing, ...extra }, buffer = Buffer.alloc(propertiesLength(properties, all));
  assertEquals(writeProperties(buffer, properties, all, 0), buffer.length);
  return buffer;
}

const deliveries:
  readonly (readonly [properties: MessageProperties | undefined, extra: Extra, parts: readonly Part[]])[] = [
    [undefined, {}, []],
    [{}, {}, []],
    [{ payloadFormatIndicator: false }, {}, [1, 0]],
    [{ payloadFormatIndicator: true }, {}, [1, 1]],
    [{ contentType: "", responseTopic: "ü/😀" }, {}, [3, "", 8, "ü/😀"]],
    [{ correlationData: new Uint8Array() }, {}, [9, [0, 0]]],
    [{ correlationData: Uint8Array.of(0, 255) }, {}, [9, [0, 2, 0, 255]]],
    [{ userProperties: [] }, {}, []],
    [{ userProperties: [["b", "1"], ["ü", "ö"], ["b", "1"]] }, {}, [38, "b", "1", 38, "ü", "ö", 38, "b", "1"]],
    [undefined, { expiry: 0xffff_ffff }, [2, [255, 255, 255, 255]]],
    [{ messageExpiryInterval: 60 }, { expiry: 7 }, [2, [0, 0, 0, 7]]], // what is left, not what it was
    [{ messageExpiryInterval: 60 }, {}, []],
    [undefined, { alias: 258 }, [35, [1, 2]]],
    [undefined, { identifiers: [1, 128, 268_435_455] }, [11, 1, 11, [128, 1], 11, [255, 255, 255, 127]]],
  ];

for (const [properties, extra, parts] of deliveries) {
  Deno.test(`A delivery has the properties ${Deno.inspect({ ...properties, ...extra }, { compact: true })}`, () => {
    assertEquals(written(properties, extra), fields(...parts));
  });
}

Deno.test("What is written is read again as it was, however long it is", () => {
  for (const size of [1, 99, 100, 101, 127, 128, 3000]) {
    const text = "x".repeat(size), wide = "ü".repeat(size);
    const properties: MessageProperties = {
      payloadFormatIndicator: true,
      contentType: text,
      responseTopic: wide,
      correlationData: Buffer.alloc(size, 7),
      userProperties: [[text, wide], ["", text]],
    };
    const body = written(properties), length = Buffer.alloc(varintLength(body.length));
    writeVarint(length, body.length, 0);
    assertEquals(readProperties(new Reader("PACKET", Buffer.concat([length, body])), "publish"), properties);
  }
});
