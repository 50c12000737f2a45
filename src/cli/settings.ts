// Everything that the command can be told, in one table: the flags, the keys of a configuration file, its schema and the help are all
// made of it. Invariant: what a flag says is stronger than what the file says.
import { isLoopback } from "../hosts.ts";
import { logFormats, type LogLevel, logLevels } from "../observe/log.ts";
import type { Limits } from "../options.ts";
import { overloadPolicies, type OverloadPolicy } from "../overload.ts";
import { UsageError } from "./fault.ts";
import { choice, flag, type Kind, limits, path, paths, port, portOrNone, text, texts } from "./kinds.ts";

/** One thing that the command can be told. */
export interface Setting {
  readonly kind: Kind;
  /** Its name on the command line. */
  readonly flag: string;
  readonly short?: string;
  /** What stands behind the flag, in the help. */
  readonly value?: string;
  /** Whether the flag can be repeated. */
  readonly repeated?: boolean;
  readonly help: string;
}

/** The settings by their keys in a configuration file. */
export const table = {
  host: {
    kind: text("it needs an address, such as 127.0.0.1"),
    flag: "host",
    value: "HOST",
    help: "address to listen on (default 127.0.0.1: this machine only)",
  },
  port: {
    kind: port,
    flag: "port",
    short: "p",
    value: "PORT",
    help: "port to listen on, 0 for any free one (default 1883)",
  },
  http: {
    kind: portOrNone,
    flag: "http",
    value: "PORT",
    help: "port of MQTT over WebSocket (default 9001, where that is free); --no-http for none",
  },
  origins: {
    kind: texts('it needs origins, such as "https://example.org", or "*"'),
    flag: "origin",
    value: "ORIGIN",
    repeated: true,
    help: "origin whose web pages may connect, besides those of the same host, such as\n" +
      "https://example.org; * for all; can be repeated",
  },
  tlsPort: { kind: port, flag: "tls-port", value: "PORT", help: "port of MQTT over TLS; needs --cert and --key" },
  https: {
    kind: port,
    flag: "https",
    value: "PORT",
    help: "port of MQTT over WebSocket and TLS; needs --cert and --key",
  },
  cert: {
    kind: paths("server.crt"),
    flag: "cert",
    value: "FILE",
    repeated: true,
    help: "certificate (PEM), and those behind it; can be repeated, each with its --key: at --tls-port,\n" +
      "the first is for clients that ask for a host which none of the others names",
  },
  key: { kind: paths("server.key"), flag: "key", value: "FILE", repeated: true, help: "its key (PEM, not encrypted)" },
  clientCa: {
    kind: path("ca.crt"),
    flag: "client-ca",
    value: "FILE",
    help: "authorities (PEM) whose certificates clients at --tls-port need, instead of a password",
  },
  unix: { kind: path("/run/brook.sock"), flag: "unix", value: "PATH", help: "Unix socket to listen on, too" },
  proxyProtocol: {
    kind: flag,
    flag: "proxy-protocol",
    help: "clients come through a load balancer that says whose they are; for --port and --tls-port",
  },
  passwords: {
    kind: path("passwords.txt"),
    flag: "passwords",
    value: "FILE",
    help: "users and hashes of their passwords; mod.ts passwd and mosquitto_passwd write such files",
  },
  acl: { kind: path("acl.txt"), flag: "acl", value: "FILE", help: "who may do what, as in Mosquitto's acl_file" },
  allowAnonymous: {
    kind: flag,
    flag: "allow-anonymous",
    help: "let everybody connect without a password, also from other machines",
  },
  trace: {
    kind: flag,
    flag: "trace",
    help: "print every packet of every client, in (->) and out (<-), and every loss (!!)",
  },
  limits: {
    kind: limits,
    flag: "limit",
    value: "NAME=VALUE",
    repeated: true,
    help: "set a limit, such as packet=64KiB; can be repeated. There are",
  },
  overload: {
    kind: choice(...overloadPolicies),
    flag: "overload",
    value: "POLICY",
    help: `what happens to messages that find a client's queue full: ${overloadPolicies.join(", ")}`,
  },
  store: {
    kind: path("brook.db"),
    flag: "store",
    value: "FILE",
    help: "keep sessions, retained messages and wills in this file, through restarts and crashes;\n" +
      "needs --allow-read and --allow-write",
  },
  durability: {
    kind: choice("full", "normal"),
    flag: "durability",
    value: "LEVEL",
    help: "what that survives: full (default), a power loss; normal, a crash of the process",
  },
  log: {
    kind: choice(...Object.keys(logFormats)),
    flag: "log",
    value: "FORMAT",
    help: "the log as text (default), or json: an object a line",
  },
  logLevel: {
    kind: choice(...logLevels),
    flag: "log-level",
    value: "LEVEL",
    help: `${logLevels.join(", ")} (default info)`,
  },
} as const satisfies Readonly<Record<string, Setting>>;

/** The name of a setting in a configuration file. */
export type Key = keyof typeof table;

/** What can be asked of the command that is no setting. */
export const commands = {
  config: { value: "FILE", help: "read settings from this file (JSON, comments are fine); flags are stronger" },
  "check-config": { help: "say whether the settings and their files are right, and end" },
  version: { short: "v", help: "print the version" },
  help: { short: "h", help: "print this" },
} as const;

/** What was given, by a file or by flags. */
export type Given =
  & { readonly [key in Exclude<Key, "cert" | "key">]?: Settings[key] | undefined }
  & { readonly [key in "cert" | "key"]?: string | readonly string[] | undefined };

/** All settings. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  /** Nothing where the default port is tried. */
  readonly http: number | false | undefined;
  readonly origins: readonly string[];
  readonly tlsPort: number | undefined;
  readonly https: number | undefined;
  /** The first is for those that ask for no host that another one names. */
  readonly cert: readonly string[];
  /** In the same order. */
  readonly key: readonly string[];
  readonly clientCa: string | undefined;
  readonly unix: string | undefined;
  readonly proxyProtocol: boolean;
  readonly passwords: string | undefined;
  readonly acl: string | undefined;
  readonly allowAnonymous: boolean;
  readonly trace: boolean;
  readonly limits: Limits;
  readonly overload: OverloadPolicy;
  readonly store: string | undefined;
  readonly durability: "full" | "normal";
  readonly log: keyof typeof logFormats;
  readonly logLevel: LogLevel;
}

const defaults: Settings = {
  host: "127.0.0.1",
  port: 1883,
  http: undefined,
  origins: [],
  tlsPort: undefined,
  https: undefined,
  cert: [],
  key: [],
  clientCa: undefined,
  unix: undefined,
  proxyProtocol: false,
  passwords: undefined,
  acl: undefined,
  allowAnonymous: false,
  trace: false,
  limits: {},
  overload: "drop-newest",
  store: undefined,
  durability: "full",
  log: "text",
  logLevel: "info",
};

/**
 * All settings, of those that were given.
 *
 * @throws {UsageError} where they do not go together
 */
export function settingsOf(file: Given, flags: Given): Settings {
  const given = { ...defaults, ...file, ...flags, limits: { ...file.limits, ...flags.limits } };
  const settings = { ...given, cert: [given.cert ?? []].flat(), key: [given.key ?? []].flat() } as Settings;
  const { host, tlsPort, https, cert, key, clientCa, allowAnonymous } = settings;
  const encrypted = tlsPort !== undefined || https !== undefined;
  if (encrypted && (cert.length === 0 || key.length === 0)) {
    throw new UsageError("--tls-port and --https need --cert and --key");
  }
  if (!encrypted && cert.length + key.length > 0) throw new UsageError("--cert and --key need --tls-port or --https");
  if (cert.length !== key.length) {
    throw new UsageError(
      `--cert and --key come in pairs: there are ${cert.length} of one and ${key.length} of the other`,
    );
  }
  if (clientCa !== undefined && tlsPort === undefined) throw new UsageError("--client-ca needs --tls-port");
  if (!isLoopback(host) && !isSecured(settings) && !allowAnonymous) {
    throw new UsageError(
      `--host ${host} would let everybody on the network in: name --passwords, or say --allow-anonymous if that is wanted`,
    );
  }
  return settings;
}

/** Whether clients have to prove who they are, but for anonymous ones where those are allowed. */
export function isSecured({ passwords, clientCa }: Settings): boolean {
  return (passwords ?? clientCa) !== undefined;
}
