// Who may come in, and who may do what, as the settings and their files say.
import type { Authenticate, Authorize, Credentials } from "../access/access.ts";
import { aclRules } from "../access/acl.ts";
import { anyOf, type Hook } from "../access/compose.ts";
import { readPasswords } from "../access/password_file.ts";
import { passwords } from "../access/passwords.ts";
import type { Replaceable } from "../access/replaceable.ts";
import { made } from "./files.ts";
import { isSecured, type Settings } from "./settings.ts";

/** The hooks of the broker, and what can be replaced in them. */
export interface AccessHooks {
  readonly hooks: { readonly authenticate?: Authenticate; readonly authorize?: Authorize };
  readonly passwords: UserFile | undefined;
  readonly acl: Replaceable<string> | undefined;
}

/** A password file. */
export class UserFile {
  readonly authenticate: ReturnType<typeof passwords>;
  #users: ReturnType<typeof readPasswords>;

  constructor(text: string) {
    this.authenticate = passwords(text);
    this.#users = readPasswords(text);
  }

  /**
   * Follows another text from now on.
   *
   * @returns the users that it has no more, or with another password
   * @throws {SyntaxError} where it is faulty: nothing has changed
   */
  replace(text: string): ReadonlySet<string> {
    this.authenticate.replace(text);
    const former = this.#users, users = this.#users = readPasswords(text);
    const changed = [...former].filter(([name, { hash }]) => users.get(name)?.hash.toBase64() !== hash.toBase64());
    return new Set(changed.map(([name]) => name));
  }
}

/**
 * Reads the files.
 *
 * @throws {Error} where one can't be read, or is faulty
 */
export function accessOf(settings: Settings): AccessHooks {
  const { passwords: users, acl: rules, allowAnonymous } = settings;
  const login = users === undefined ? undefined : made("passwords", users, (text) => new UserFile(text));
  const authorize = rules === undefined ? undefined : made("acl", rules, aclRules);
  const ways: Hook<Credentials>[] = [
    ...allowAnonymous ? [isAnonymous] : [],
    isCertified,
    ...login ? [login.authenticate] : [],
  ];
  return {
    hooks: { ...isSecured(settings) && { authenticate: anyOf(...ways) }, ...authorize && { authorize } },
    passwords: login,
    acl: authorize,
  };
}

function isAnonymous({ username, password }: Credentials): boolean {
  return username === undefined && password === undefined;
}

/** A certificate is as good as a password, for the user that it names. */
function isCertified({ certificate, username, password }: Credentials): boolean {
  if (!certificate || password !== undefined) return false;
  return username === undefined || username === certificate.commonName;
}
