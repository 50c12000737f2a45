// The broker as README.md starts it: `deno run --allow-net mod.ts`, in the repository, with no further permission and no prompt.
import { assertEquals } from "@std/assert";
import { mosquitto } from "../interop/mosquitto.ts";
import { testWith } from "../interop/programs.ts";
import { TestClient } from "../support/client.ts";

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  testWith(
    [mosquitto],
    `the command serves Mosquitto's clients, and says goodbye to them on ${signal}`,
    async (broker) => {
      await using client = await TestClient.tcp(broker.port);
      await client.connect({ clientId: "lamp" });
      await client.subscribe("home/+/status", 1);
      await mosquitto.publish(broker, [{ topic: "home/lamp/status", payload: "ON", qos: 1, retain: false }]);
      await client.expect({ cmd: "publish", topic: "home/lamp/status", payload: "ON", qos: 1 });
      const [code] = await Promise.all([broker.stop(signal), client.expectClosed()]);
      assertEquals(code, 0);
      await broker.logged('"lamp" disconnected: server-shutting-down');
    },
  );
}
