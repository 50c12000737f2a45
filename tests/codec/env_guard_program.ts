// Run by env_guard_test.ts under different permissions: loads the codec, uses it, and says what became of the
// environment.
import process from "node:process";

const before = Object.getOwnPropertyDescriptor(process, "env");
const { parser } = await import("../../src/codec/mqtt_packet.ts");
const { value, get } = Object.getOwnPropertyDescriptor(process, "env") ?? {};

function variable(name: string): string | undefined {
  try {
    return process.env[name];
  } catch (error) {
    return (error as Error).name;
  }
}

console.log(JSON.stringify({
  restored: value === before?.value && get === before?.get,
  left: parser().parse(new Uint8Array([0xc0, 0]) as never), // says what it does where DEBUG can be read
  variable: variable("BROOK_TEST"),
}));
