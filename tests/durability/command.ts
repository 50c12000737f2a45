// The command with a store, as a process of its own.
import { assert } from "@std/assert";
import { denoRun, has, Process, root } from "../support/process.ts";
import { temporaryFolder } from "../support/stores.ts";

const permissions = ["--allow-net", "--allow-read", "--allow-write"] as const;

function argsOf(path: string, options: readonly string[]): string[] {
  return [...permissions, "mod.ts", "--port", "0", "--no-http", "--store", path, ...options];
}

/** Starts it on a free port. */
export function startCommand(path: string, ...options: readonly string[]): Process {
  return denoRun(...argsOf(path, options));
}

/** Resolves to its port as soon as it listens. */
export async function portOf(command: Process): Promise<number> {
  const line = await command.output.take(), [, port] = /mqtt:\/\/127\.0\.0\.1:(\d+)/.exec(line) ?? [];
  assert(port, `The first line is ${JSON.stringify(line)}`);
  return Number(port);
}

/** A disk, or what is like one, on which there is little room until somebody makes some. */
export interface SmallDisk extends Disposable {
  /** Starts the command with its store there. */
  start(...options: readonly string[]): Promise<Process>;
  /** Where the store is. */
  readonly path: string;
  makeRoom(): void;
}

/** Has a folder be a disk of a megabyte, which only root can do. */
function mount(folder: string): boolean {
  return has("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder);
}

/** Whether `mountedDisk` is possible here. */
export const canMount: boolean = (() => {
  using folder = temporaryFolder();
  return mount(folder.path) && has("umount", folder.path);
})();

/** A file system of a megabyte. */
export function mountedDisk(): SmallDisk {
  const folder = temporaryFolder(), path = `${folder.path}/brook.db`, ballast = `${folder.path}/ballast`;
  assert(mount(folder.path));
  Deno.writeFileSync(ballast, new Uint8Array(300_000));
  return {
    path,
    start: (...options) => Promise.resolve(startCommand(path, ...options)),
    makeRoom: () => Deno.removeSync(ballast),
    [Symbol.dispose]() {
      has("umount", folder.path);
      folder[Symbol.dispose]();
    },
  };
}

/** Whether `limitedDisk` is possible here. */
export const canLimit: boolean = has("prlimit", "--version") && has("bash", "-c", "ulimit -S -f 300");

/** A process that may not write files of more than 300 KiB, until it may. */
export function limitedDisk(): SmallDisk {
  const folder = temporaryFolder(), path = `${folder.path}/brook.db`;
  let pid: string | undefined;
  return {
    path,
    async start(...options) {
      // What exceeds the limit is an error of that write only where the signal is ignored.
      const script = `trap "" XFSZ; ulimit -S -f 300; echo $$; exec "$@"`;
      const args = ["-c", script, "bash", Deno.execPath(), "run", "--no-prompt", ...argsOf(path, options)];
      const process = new Process("bash", { args, cwd: root, env: { NO_COLOR: "1" } });
      pid = await process.output.take();
      return process;
    },
    makeRoom: () => assert(has("prlimit", "--pid", pid!, "--fsize=unlimited:unlimited")),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}
