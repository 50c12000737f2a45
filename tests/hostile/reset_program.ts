// A program that connects to a port and resets the connection at once, as often as it is told: `reset_program.ts PORT COUNT`.
import { connect } from "node:net";

const [port, count] = Deno.args.map(Number);
for (let i = 0; i < count!; i++) {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port!, "127.0.0.1", () => socket.resetAndDestroy());
    socket.on("error", reject).on("close", () => resolve());
  });
}
