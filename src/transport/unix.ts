// MQTT over a Unix socket: a path instead of a port, for clients on the same machine, which the rights of a file let in
// or keep out. A program that was killed leaves its socket behind as a file where nobody listens; such a one is
// replaced, but no other file is. The socket is made under another name, and moved: so it has its rights from the
// start, and Deno, which removes a closed socket by its name some time later, can't remove that of a successor. The other
// name is always the same one, so that permissions can be as narrow as two names.
import { accepted, closed, connStream } from "./tcp.ts";
import type { Acceptor } from "./transport.ts";

/** Where to listen. */
export interface UnixOptions {
  /** Where the socket is; it is removed when the acceptor is closed. At most 103 bytes; with `.new` behind it, it must be free. */
  readonly path: string;
  /**
   * Who may connect, as rights of the file: writing is what counts, so 0o660 is the owner and the group. Default: by
   * the umask.
   */
  readonly mode?: number;
}

/**
 * Listens on a Unix socket. Needs the permissions to read and to write the path, and the path with
 * `.new` behind it, and those of the network for `unix:` and the same two, absolute.
 *
 * @throws {Deno.errors.AddrInUse} where somebody listens already, or another file is in the way
 * @throws {Deno.errors.NotFound} where the folder does not exist
 */
export async function listenUnix({ path, mode }: UnixOptions): Promise<Acceptor> {
  const made = `${path}.new`, listener = await bound(made);
  try {
    if (mode !== undefined) Deno.chmodSync(made, mode);
    await move(made, path);
  } catch (error) {
    closed(listener);
    throw error;
  }
  const own = fileAt(path);
  return {
    address: `mqtt+unix://${path}`,
    port: 0,
    [Symbol.asyncIterator]: () => accepted(listener, (conn) => connStream(conn, `unix:${path}`)),
    close() {
      closed(listener);
      if (isSame(own, fileAt(path))) Deno.removeSync(path);
    },
  };
}

/** A new socket, where none is or nobody listens: somebody may have been killed before it could move its own. */
async function bound(path: string): Promise<Deno.UnixListener> {
  const found = fileAt(path);
  if (found) {
    await refuse(path, found);
    if (isSame(found, fileAt(path))) Deno.removeSync(path);
  }
  return Deno.listen({ transport: "unix", path });
}

/** Moves a socket to a place where nobody listens. */
async function move(made: string, path: string): Promise<void> {
  for (;;) {
    const found = fileAt(path);
    if (found) await refuse(path, found);
    // While that was found out, another program may have taken the place.
    if (!found || isSame(found, fileAt(path))) return Deno.renameSync(made, path);
  }
}

/** Throws, unless what was found is a socket that nobody listens at. */
async function refuse(path: string, found: Deno.FileInfo): Promise<void> {
  if (!found.isSocket) throw new Deno.errors.AddrInUse(`"${path}" is in the way: it is a file, not a socket`);
  if (await isListening(path)) throw new Deno.errors.AddrInUse(`Socket "${path}" is in use: somebody listens there`);
}

function fileAt(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The number alone is given to another file as soon as it is free. */
function isSame(one: Deno.FileInfo | undefined, other: Deno.FileInfo | undefined): boolean {
  if (!one || !other) return false;
  return one.dev === other.dev && one.ino === other.ino && Number(one.ctime) === Number(other.ctime);
}

async function isListening(path: string): Promise<boolean> {
  try {
    closed(await Deno.connect({ transport: "unix", path }));
    return true;
  } catch (error) {
    // A listener that is being closed resets a connection that it has not accepted.
    const { ConnectionRefused, ConnectionReset, NotFound } = Deno.errors;
    if ([ConnectionRefused, ConnectionReset, NotFound].some((kind) => error instanceof kind)) return false;
    throw error;
  }
}
