// Who may do what, as Mosquitto's ACL files say it. A rule is a topic filter, and so is what a client asks for: it may
// have what one rule covers and no deny rule overlaps. Mosquitto grants every subscription and looks at the rules with
// each delivery; here they are looked at once, so that a subscription to more than a rule gives is refused. Invariant:
// whoever has a subscription may read everything that it brings.
import { covers, overlaps } from "../topics/covers.ts";
import { topicFilterFault } from "../topics/filter.ts";
import type { Access, Authorize, ClientInfo, Decision } from "./access.ts";
import { type Replaceable, replaceable } from "./replaceable.ts";

/** What a line permits or denies. */
interface Rule {
  readonly access: "read" | "write" | "readwrite" | "deny";
  readonly topic: string;
}

/** The lines of a file: those of each user (nobody is somebody without a user name), and those that hold for all. */
interface Rules {
  readonly users: ReadonlyMap<string | undefined, readonly Rule[]>;
  readonly patterns: readonly Rule[];
}

/** Rules by what they do, as levels. */
interface Rights {
  readonly deny: readonly (readonly string[])[];
  readonly subscribe: readonly (readonly string[])[];
  readonly publish: readonly (readonly string[])[];
}

/**
 * The rules of an ACL file of Mosquitto's, as a hook:
 *
 * ```text
 * # before any user: clients without a user name
 * topic read news/#
 *
 * user alice
 * topic home/#
 * topic deny home/safe/#
 *
 * # everybody; %u is the user name, %c the client identifier
 * pattern write sensor/%u/data
 * ```
 *
 * `topic` and `pattern` take `read`, `write`, `readwrite` (which holds where nothing is said) or `deny`, whatever the
 * order; what a user's own lines permit, no pattern denies. As to publications and to topics without wildcards, it
 * decides as Mosquitto 2.0 does, with these exceptions, all to the safe side:
 *
 * - A subscription has to be covered by one rule for reading, and to overlap with none that denies: under
 *   `topic read home/#`, a client may subscribe to `home/+`, and not to `#`.
 * - A name that begins with `$` does not make `%u/…` or `%c/…` a rule on `$`-topics.
 * - A file without a rule permits nothing.
 *
 * As in Mosquitto, no pattern holds for a client whose user name or identifier holds `+` or `#`. Replacing the rules
 * ends no subscription that there is.
 *
 * @param text the content of the file
 * @throws {SyntaxError} where a line is faulty, with its number
 *
 * @example
 * ```ts
 * import { aclRules, createBroker } from "@brook/mqtt";
 *
 * const authorize = aclRules("user alice\ntopic readwrite home/#\n");
 * await using broker = createBroker({ authorize });
 * authorize.replace("user alice\ntopic read home/#\n"); // such as on a signal
 * ```
 */
export function aclRules(text: string): Authorize & Replaceable<string> & ((access: Access) => Decision) {
  return replaceable((text: string) => hookOf(parse(text)), text);
}

function hookOf({ users, patterns }: Rules): (access: Access) => Decision {
  const own = new Map([...users].map(([user, rules]) => [user, rightsOf(rules)]));
  const shared = new WeakMap<ClientInfo, Rights>();
  return ({ action, client, topic }) => {
    const levels = topic.split("/"), rights = own.get(client.username);
    let common = shared.get(client);
    if (!common) shared.set(client, common = rightsOf(substituted(patterns, client)));
    return (rights && verdict(rights, action, levels)) ?? verdict(common, action, levels) ?? "not-authorized";
  };
}

/** Nothing where no rule says anything. */
function verdict(rights: Rights, action: Access["action"], levels: readonly string[]): Decision | undefined {
  if (rights.deny.some((rule) => overlaps(rule, levels))) return "not-authorized";
  if (rights[action].some((rule) => covers(rule, levels))) return true;
}

function rightsOf(rules: readonly Rule[]): Rights {
  const levelsOf = (...kinds: readonly Rule["access"][]) =>
    rules.filter(({ access }) => kinds.includes(access)).map(({ topic }) => topic.split("/"));
  return { deny: levelsOf("deny"), subscribe: levelsOf("read", "readwrite"), publish: levelsOf("write", "readwrite") };
}

/** The patterns with the names of a client in them. */
function substituted(patterns: readonly Rule[], { id, username }: ClientInfo): Rule[] {
  if (/[+#]/.test(id + username)) return []; // they would be wildcards
  return patterns.flatMap(({ access, topic: pattern }) => {
    if (username === undefined && pattern.includes("%u")) return [];
    const topic = pattern.replace(/%[uc]/g, (name) => name === "%u" ? username! : id);
    return topic.startsWith("$") && !pattern.startsWith("$") ? [] : [{ access, topic }];
  });
}

function parse(text: string): Rules {
  const users = new Map<string | undefined, Rule[]>(), patterns: Rule[] = [];
  let user: string | undefined;
  for (const [i, line] of text.split("\n").entries()) {
    const fault = (found: string) => new SyntaxError(`Line ${i + 1} of the ACL ${found}`);
    const [, keyword = "", rest = ""] = /^([^ ]*) *(.*)$/s.exec(line.trim())!;
    if (keyword === "" || keyword.startsWith("#")) continue;
    if (line.trim().includes("\t")) throw fault("holds a tab: what parts the words is a space");
    if (keyword === "topic") {
      const rule = ruleOf(keyword, rest, fault), rules = users.get(user);
      if (rules) rules.push(rule);
      else users.set(user, [rule]);
    } else if (keyword === "pattern") patterns.push(ruleOf(keyword, rest, fault));
    else if (keyword !== "user") {
      throw fault(`begins with ${word(keyword)}, not with "topic", "pattern", "user" or "#"`);
    } else if (rest === "") throw fault('says "user", and no name behind it');
    else user = rest;
  }
  return { users, patterns };
}

/** A word that could be a keyword is shown; what else stands there may be a line of a password file. */
function word(text: string): string {
  return /^[a-z]+$/i.test(text) ? `"${text}"` : "what is no word";
}

const kinds: readonly string[] = ["read", "write", "readwrite", "deny"] satisfies Rule["access"][];

/** What stands behind `topic` or `pattern`; one word alone is the topic, whatever it is. */
function ruleOf(keyword: string, rest: string, fault: (found: string) => Error): Rule {
  if (rest === "") throw fault(`says "${keyword}", and no topic filter behind it`);
  const [, access, topic] = /^([^ ]+) +(.*)$/s.exec(rest) ?? [rest, "readwrite", rest];
  if (!kinds.includes(access!)) {
    throw fault(`says "${access}" before its topic filter, not "read", "write", "readwrite" or "deny"`);
  }
  const wrong = topicFilterFault(topic!);
  if (wrong) throw fault(`is faulty: ${wrong}`);
  return { access: access as Rule["access"], topic: topic! };
}
