// The kinds of values that settings have: how each is written on the command line, what a configuration file may say, and what its
// schema says of it.
import { ranges } from "../options.ts";

/** A kind of value. */
export interface Kind {
  /** What a value has to be, behind the one that was found. */
  readonly needs: string;
  /** The same as JSON schema. */
  readonly schema: object;
  /** The value that stands for a text of the command line; what can't be read stays text. */
  fromText(text: string): unknown;
  /** Whether a value is of this kind. */
  accepts(value: unknown): boolean;
}

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";

/** A text that is not empty. */
export function text(needs: string): Kind {
  return { needs, schema: { type: "string", minLength: 1 }, fromText: (text) => text, accepts: isText };
}

/** The path of a file. */
export function path(example: string): Kind {
  return text(`it needs the path of a file, such as ${example}`);
}

const isPort = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535;
const portSchema = { type: "integer", minimum: 0, maximum: 65_535 };

/** A port. */
export const port: Kind = {
  needs: "it needs a number from 0 to 65535",
  schema: portSchema,
  fromText: (text) => /^\d+$/.test(text) ? Number(text) : text,
  accepts: isPort,
};

/** A port, or false in a file, for none. */
export const portOrNone: Kind = {
  ...port,
  schema: { anyOf: [portSchema, { const: false }] },
  accepts: (value) => value === false || isPort(value),
};

/** True or false; on the command line, the flag alone says true. */
export const flag: Kind = {
  needs: "it needs true or false",
  schema: { type: "boolean" },
  fromText: () => true,
  accepts: (value) => typeof value === "boolean",
};

/** The paths of files: in a configuration file one, or a list; on the command line, the flag can be repeated. */
export function paths(example: string): Kind {
  const one = path(example), list = texts(one.needs);
  return {
    ...one,
    schema: { anyOf: [one.schema, list.schema] },
    accepts: (value) => one.accepts(value) || list.accepts(value) && (value as unknown[]).length > 0,
  };
}

/** One of several words. */
export function choice(...words: readonly string[]): Kind {
  return {
    needs: `there are ${words.join(", ")}`,
    schema: { enum: words },
    fromText: (text) => text,
    accepts: (value) => words.includes(value as string),
  };
}

/** A list of texts; on the command line, the flag can be repeated. */
export function texts(needs: string): Kind {
  return {
    needs,
    schema: { type: "array", items: { type: "string", minLength: 1 } },
    fromText: (text) => text,
    accepts: (value) => Array.isArray(value) && value.every(isText),
  };
}

/** Limits by name; what they may be, `resolveOptions` knows. */
export const limits: Kind = {
  needs: 'it needs names and values, such as { "packet": "64KiB" }',
  schema: {
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(Object.keys(ranges).map((name) => [name, { type: ["integer", "string"] }])),
  },
  fromText: (text) => text,
  accepts: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};
