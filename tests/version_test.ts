import { assertEquals } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { VERSION } from "../mod.ts";

Deno.test("The version in the source is that of the package", () => assertEquals(VERSION, config.version));
