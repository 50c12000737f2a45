// Undoes env_guard.ts once mqtt-packet has loaded.
import process from "node:process";
import { original } from "./env_guard.ts";

if (original) Object.defineProperty(process, "env", original);
