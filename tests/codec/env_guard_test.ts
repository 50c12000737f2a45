// Permissions belong to a process as a whole: each case is one of its own.
import { assertEquals } from "@std/assert";

interface Case {
  readonly permissions: readonly string[];
  /** What the program finds in an environment variable of its own. */
  readonly variable: string;
  /** Whether mqtt-packet sees DEBUG, and says on stderr what it does. */
  readonly debug: boolean;
}

const cases: readonly Case[] = [
  { permissions: [], variable: "NotCapable", debug: false },
  { permissions: ["--allow-net"], variable: "NotCapable", debug: false },
  { permissions: ["--allow-env=BROOK_TEST"], variable: "seen", debug: false },
  { permissions: ["--allow-env=DEBUG"], variable: "NotCapable", debug: false },
  { permissions: ["--allow-env", "--deny-env=READABLE_STREAM"], variable: "seen", debug: false },
  { permissions: ["--allow-env"], variable: "seen", debug: true },
];

for (const { permissions, variable, debug } of cases) {
  Deno.test(`mqtt-packet loads and the environment is as before: deno run ${permissions.join(" ")}`, async () => {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--quiet", ...permissions, "env_guard_program.ts"],
      cwd: new URL(".", import.meta.url),
      env: { BROOK_TEST: "seen", DEBUG: "mqtt-packet:*" },
    }).output();
    const errors = new TextDecoder().decode(stderr), output = new TextDecoder().decode(stdout);
    assertEquals(JSON.parse(output || `"${errors}"`), { restored: true, left: 0, variable });
    assertEquals(errors.includes("mqtt-packet:parser"), debug, errors);
  });
}
