// The command as a program of its own.
import { passwdCommand } from "../../src/access/passwd_command.ts";

Deno.exit(await passwdCommand(Deno.args));
