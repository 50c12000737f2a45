// The one file that loads npm:mqtt-packet. The order of these three imports matters: see env_guard.ts.
import "./env_guard.ts";
import mqttPacket from "npm:mqtt-packet@^9.0.2";
import "./env_restore.ts";

mqttPacket.writeToStream.cacheNumbers = false;

export const { generate, parser } = mqttPacket;
export type * from "npm:mqtt-packet@^9.0.2";
