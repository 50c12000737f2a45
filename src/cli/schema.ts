// The schema of configuration files, for editors: made of the table of settings, and kept in src/config.schema.json.
import { type Setting, table } from "./settings.ts";

/** The schema as an object. */
export function configSchema(): object {
  const properties = Object.entries(table).map(([key, { kind, help }]: [string, Setting]) => {
    return [key, { description: help.replaceAll("\n", " "), ...kind.schema }];
  });
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Configuration of Brook",
    type: "object",
    additionalProperties: false,
    properties: { $schema: { type: "string" }, ...Object.fromEntries(properties) },
  };
}
