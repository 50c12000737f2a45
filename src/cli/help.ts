// What --help prints.
import { ranges } from "../options.ts";
import { VERSION } from "../version.ts";
import { commands, type Setting, table } from "./settings.ts";

/** Where the explanation of a flag begins. */
const COLUMN = 26;

/** The whole text. */
export function helpText(): string {
  const settings = Object.values(table).map((setting: Setting) => {
    return setting.flag === "limit" ? `${flagLine(setting)}\n${limitLines()}` : flagLine(setting);
  });
  const others = Object.entries(commands).map(([flag, about]) => flagLine({ flag, ...about }));
  return [
    `Brook ${VERSION}: an MQTT broker. Serves MQTT 5.0, 3.1.1 and 3.1 over TCP, TLS, WebSocket and Unix sockets.`,
    "",
    "Usage: deno run --allow-net mod.ts [options]",
    "       deno run --allow-read --allow-write mod.ts passwd --help",
    "",
    ...settings,
    ...others,
    "",
    "Files need the permission to read them, such as --allow-read=server.crt,server.key. On SIGHUP, they are read again.",
  ].join("\n");
}

function flagLine({ flag, short, value, help }: Omit<Setting, "kind">): string {
  const name = `  ${short ? `-${short}, ` : "    "}--${flag}${value ? ` ${value}` : ""}`;
  return name.padEnd(COLUMN) + help.replaceAll("\n", `\n${" ".repeat(COLUMN)}`);
}

/** The limits and their defaults, a few a line. */
function limitLines(): string {
  const all = Object.entries(ranges).map(([name, [standard]]) =>
    `${name}=${standard === Infinity ? "none" : standard}`
  );
  const lines = [""];
  for (const one of all) {
    if (lines.at(-1)!.length + one.length > 78) lines.push("");
    lines[lines.length - 1] += ` ${one}`;
  }
  return lines.map((line) => " ".repeat(COLUMN - 1) + line).join("\n");
}
