// Requests and responses of MQTT 5.0: Mosquitto and MQTT.js ask, MQTT.js answers.
import { assertEquals } from "@std/assert";
import { ask, mosquitto } from "./mosquitto.ts";
import { mqttjs, MqttjsClient } from "./mqttjs.ts";
import type { Message } from "./program.ts";
import { testLocally } from "./programs.ts";

/** Answers a request. */
function answer(client: MqttjsClient, { payload, properties = {} }: Message): Promise<unknown> {
  const { responseTopic = "", correlationData = "" } = properties;
  const answer = {
    topic: responseTopic,
    payload: `${Number(payload) * 2}`,
    retain: false,
    properties: { correlationData },
  };
  return client.publish({ ...answer, qos: 1 });
}

testLocally(
  [mosquitto, mqttjs],
  "Mosquitto's requests are answered by MQTT.js, each where and as it asks for it",
  async (broker) => {
    await using responder = await MqttjsClient.connect(broker, "responder");
    await responder.subscribe("double", { qos: 1 });
    const requests = ["1", "2"].map((payload): Message => ({
      topic: "double",
      payload,
      qos: 1,
      retain: false,
      properties: { responseTopic: `to/${payload}`, correlationData: `request ${payload}` },
    }));
    const answers = Promise.all(requests.map((request) => ask(broker, request)));
    const taken = [await responder.messages.take(), await responder.messages.take()];
    assertEquals(taken.toSorted((a, b) => Number(a.payload) - Number(b.payload)), requests);
    for (const request of taken.reverse()) await answer(responder, request);
    assertEquals(await answers, [
      { topic: "to/1", payload: "2", qos: 1, retain: false, properties: { correlationData: "request 1" } },
      { topic: "to/2", payload: "4", qos: 1, retain: false, properties: { correlationData: "request 2" } },
    ]);
  },
);

testLocally(
  [mqttjs],
  "MQTT.js is told where its answers may come, where it asks for that [MQTT5-3.1.2-28]",
  async (broker) => {
    await using responder = await MqttjsClient.connect(broker, "responder");
    await responder.subscribe("double", { qos: 1 });
    await using asker = await MqttjsClient.connect(broker, "asker", {
      properties: { requestResponseInformation: true },
    });
    const { responseInformation } = (await asker.packet("connack")).properties!;
    assertEquals(responseInformation, "answers/asker");
    assertEquals((await responder.packet("connack")).properties!.responseInformation, undefined);

    const topic = `${responseInformation}/7`, properties = { responseTopic: topic, correlationData: "7" };
    await asker.subscribe(topic, { qos: 0 });
    await asker.publish({ topic: "double", payload: "7", qos: 1, retain: false, properties });
    await answer(responder, await responder.messages.take());
    const answered = { topic, payload: "14", qos: 0, retain: false, properties: { correlationData: "7" } } as const;
    assertEquals(await asker.messages.take(), answered);
  },
  { responseInformation: ({ id }) => `answers/${id}` },
);
