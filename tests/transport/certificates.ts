// Certificates for tests, made by `openssl` in a folder that is gone with the test file.
import { has } from "../support/process.ts";

/** Whether they can be made here; in CI they must. */
export const canIssue: boolean = has("openssl", "version") || Deno.env.get("CI") !== undefined;

const folder = Deno.makeTempDirSync();
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

let files = 0;

/** A certificate with its key, as PEM, and where both are. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

interface Wishes {
  /** How many days it is valid from now; default 2. */
  readonly days?: number;
  /** Host names or addresses of a server, such as `DNS:a.example`; default: this machine's. */
  readonly hosts?: string;
  /** What it may be used for. */
  readonly use?: "serverAuth" | "clientAuth";
  /** How its key is made, as `openssl req` is told. */
  readonly algorithm?: readonly string[];
}

const ELLIPTIC = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

/** An authority that issues certificates. */
export class Authority {
  /** Its own certificate and key. */
  readonly own: Issued;

  constructor(name: string) {
    this.own = made((key, certificate) => {
      openssl("req", "-x509", "-newkey", ...ELLIPTIC, "-nodes", "-days", "2", "-subj", `/CN=${name}`, ...[
        "-keyout",
        key,
        "-out",
        certificate,
      ]);
    });
  }

  /** Issues a certificate for a subject such as `/CN=client`. */
  issue(subject: string, wishes: Wishes = {}): Issued {
    const { days = 2, hosts = "DNS:localhost,IP:127.0.0.1", use, algorithm = ELLIPTIC } = wishes;
    return made((key, certificate) => {
      const request = `${certificate}.csr`, extensions = `${certificate}.ext`;
      Deno.writeTextFileSync(extensions, `subjectAltName=${hosts}\n${use ? `extendedKeyUsage=${use}\n` : ""}`);
      openssl("req", "-newkey", ...algorithm, "-nodes", "-subj", subject, "-keyout", key, "-out", request);
      openssl("x509", "-req", "-in", request, "-days", `${days}`, "-extfile", extensions, "-out", certificate, ...[
        "-CA",
        this.own.certificateFile,
        "-CAkey",
        this.own.keyFile,
        "-CAcreateserial",
      ]);
    });
  }
}

function made(make: (key: string, certificate: string) => void): Issued {
  const path = `${folder}/${++files}`, keyFile = `${path}.key`, certificateFile = `${path}.crt`;
  make(keyFile, certificateFile);
  const [certificate, key] = [certificateFile, keyFile].map((file) => Deno.readTextFileSync(file));
  return { certificate: certificate!, key: key!, certificateFile, keyFile };
}

/** Runs `openssl`, which must succeed, and returns what it printed. */
export function openssl(...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command("openssl", { args, stdin: "null" }).outputSync();
  if (!success) throw new Error(`openssl ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** An authority that servers and clients of the tests trust, and a server's certificate. */
export function identity(): { readonly authority: Authority; readonly server: Issued } {
  return kept ??= (() => {
    const authority = new Authority("Test authority");
    return { authority, server: authority.issue("/CN=localhost", { use: "serverAuth" }) };
  })();
}

let kept: { readonly authority: Authority; readonly server: Issued } | undefined;
