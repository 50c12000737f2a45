// Clients that have come to the wrong port: the broker says so, instead of calling their first bytes a strange packet.
import { assertEquals, assertRejects } from "@std/assert";
import { createBroker, rx } from "../../mod.ts";

const strangers: Readonly<Record<string, (port: number) => Promise<unknown>>> = {
  HTTP: (port) => fetch(`http://127.0.0.1:${port}/`, { headers: { "x-long": "-".repeat(200) } }),
  TLS: (port) => Deno.connectTls({ port, hostname: "127.0.0.1" }).then((conn) => conn.handshake()),
};

for (const [spoken, come] of Object.entries(strangers)) {
  Deno.test(`A client that speaks ${spoken} on the port for MQTT is refused, and the reason says what it speaks`, async () => {
    await using broker = createBroker();
    const refused = rx.firstValueFrom(broker.events.pipe(rx.filter((event) => event.type === "refused")));
    await assertRejects(() => come(broker.listen({ port: 0 }).port));
    const { reason, detail } = await refused;
    assertEquals([reason, detail], ["malformed-packet", `Client speaks ${spoken}: this is a port for MQTT alone`]);
  });
}
