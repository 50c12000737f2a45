/** The version of Brook, as deno.json states it. */
export const VERSION = "0.1.0";
