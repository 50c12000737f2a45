// A configuration file: JSON with comments, whose keys are those of the table of settings. Invariant: a fault names the file, the line
// and the column.
import { found, UsageError } from "./fault.ts";
import { readFile } from "./files.ts";
import { limitOf } from "./flags.ts";
import { type Place, readJson } from "./jsonc.ts";
import { type Given, type Setting, table } from "./settings.ts";

/** Tells what is wrong at a place. */
type Fault = (at: { readonly offset: number }, message: string) => UsageError;

const settings = new Map<string, Setting>(Object.entries(table));

/**
 * Reads the settings of a file.
 *
 * @throws {UsageError} where it is faulty
 * @throws {Error} where it can't be read
 */
export function readConfig(path: string): Given {
  return configOf(readFile("config", path), path);
}

/**
 * The settings that a text says.
 *
 * @param path for the errors
 * @throws {UsageError} where it is faulty
 */
export function configOf(text: string, path: string): Given {
  const fault: Fault = ({ offset }, message) => {
    const lines = text.slice(0, offset).split("\n");
    return new UsageError(`${path}:${lines.length}:${lines.at(-1)!.length + 1}: ${message}`);
  };
  const root = readJson(text);
  if ("message" in root) throw fault(root, root.message);
  if (typeof root.value !== "object" || root.value === null || Array.isArray(root.value)) {
    throw fault(root, 'It needs an object, such as { "port": 1883 }');
  }
  return Object.fromEntries(named(root, fault).flatMap(([name, value]) => settingOf(name, value, fault)));
}

/** The properties of an object, each of which may be there once. */
function named(object: Place, fault: Fault): (readonly [name: Place, value: Place])[] {
  const names = new Set<unknown>();
  return object.properties.map(([name, value]) => {
    if (names.has(name.value)) throw fault(name, `"${name.value}" is there twice`);
    names.add(name.value);
    return [name, value];
  });
}

function settingOf(name: Place, place: Place, fault: Fault): [string, unknown][] {
  const key = String(name.value), { value } = place;
  if (key === "$schema") return []; // for editors
  const setting = settings.get(key);
  if (!setting) throw fault(name, `Unknown key "${key}": there are ${[...settings.keys()].join(", ")}`);
  if (!setting.kind.accepts(value)) throw fault(place, `${found(`"${key}"`, value)}: ${setting.kind.needs}`);
  return [[key, key === "limits" ? limitsOf(place, fault) : value]];
}

function limitsOf(limits: Place, fault: Fault): object {
  return Object.fromEntries(
    named(limits, fault).map(([name, place]) => {
      try {
        return [name.value, limitOf(String(name.value), place.value)];
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        throw fault(error.message.startsWith("Unknown") ? name : place, error.message);
      }
    }),
  );
}
