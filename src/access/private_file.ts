// A text file that nobody else shall read, written so that whoever reads it finds the former text or the new one, whole:
// also where the power fails in between. Invariant: what goes wrong says which file it is, and leaves it as it was.

/**
 * The text of a file.
 *
 * @throws {Error} where it can't be read, or is not UTF-8
 */
export async function readPrivate(file: string): Promise<string> {
  const bytes = await Deno.readFile(file).catch((error) => fail(file, "read", error));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error(`File "${file}" is not UTF-8 text`);
  }
}

/**
 * Writes the file, with mode 0600. One that is there keeps its owner, and its group the right to read it.
 *
 * @throws {Error} where it can't be written
 */
export async function writePrivate(file: string, text: string): Promise<void> {
  try {
    const former = await Deno.stat(file).catch(ifMissing);
    const path = former ? await Deno.realPath(file) : file; // a link stays one
    const beside = `${path}.${crypto.randomUUID()}`;
    try {
      await Deno.writeTextFile(beside, text, { createNew: true, mode: 0o600 });
      if (former) await inherit(beside, former);
      await flush(beside);
      await Deno.rename(beside, path);
    } catch (error) {
      await Deno.remove(beside).catch(ifMissing);
      throw error;
    }
  } catch (error) {
    fail(file, "written", error);
  }
}

async function inherit(path: string, { uid, gid, mode }: Deno.FileInfo): Promise<void> {
  if (uid === null || gid === null) return; // Windows has neither
  const ours = await Deno.stat(path);
  if (uid !== ours.uid || gid !== ours.gid) await Deno.chown(path, uid, gid);
  await Deno.chmod(path, 0o600 | (mode ?? 0) & 0o040);
}

async function flush(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.sync();
}

function ifMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

function fail(file: string, done: "read" | "written", error: unknown): never {
  throw new Error(`File "${file}" can't be ${done}: ${whyNot(error, file)}`, { cause: error });
}

function whyNot(error: unknown, file: string): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file or folder";
  if (error instanceof Deno.errors.NotCapable) {
    const folder = file.replace(/\/?[^/]*$/, "") || ".";
    return `it needs the permissions --allow-read=${folder} --allow-write=${folder}`; // the new file is written beside it
  }
  if (error instanceof Deno.errors.PermissionDenied) return "this user has no right to do that";
  return error instanceof Error ? error.message : String(error);
}
