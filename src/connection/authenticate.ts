// Enhanced authentication (5.0 section 4.12): carries what a method and a client say over AUTH packets, before the CONNACK or, when
// a connected client authenticates anew, at any time later.
import type { Credentials } from "../access/access.ts";
import { refusal } from "../access/access.ts";
import { type Authenticated, isAuthenticated } from "../access/authentication.ts";
import type { AuthPacket } from "../codec/packet.ts";
import { MqttError } from "../errors.ts";
import type { Connection } from "./connection.ts";
import { refusedConnect } from "./decide.ts";

const SUCCESS = 0x00, CONTINUE = 0x18, REAUTHENTICATE = 0x19;

/** A method that is talking to the client, and what the client may do about it. */
export interface Authentication {
  readonly method: string;
  readonly credentials: Credentials;
  /** Takes the client's answer, while one is awaited. */
  answer: ((data: Uint8Array) => void) | undefined;
  /** Called when the client leaves, while its answer is awaited. */
  left: (() => void) | undefined;
  /** True until the method has decided. */
  running: boolean;
}

/** Lets a method talk to the client; `then` is called with its success. */
export function authenticate(
  connection: Connection,
  method: string,
  credentials: Credentials,
  data: Uint8Array | undefined,
  then: (outcome: Authenticated) => void,
): void {
  const { authenticationMethods } = connection.context.options;
  const talk = Object.hasOwn(authenticationMethods, method) ? authenticationMethods[method] : undefined;
  if (!talk) throw new MqttError("bad-authentication-method", `There is no authentication method "${method}"`);
  const authentication: Authentication = { method, credentials, answer: undefined, left: undefined, running: true };
  const again = connection.session !== undefined;
  connection.authentication = authentication;
  const challenge = (data: Uint8Array) => ask(connection, authentication, data);
  Promise.try(talk, { credentials, data: data ?? new Uint8Array(), again, challenge })
    .catch((error) => {
      if (!connection.ended) connection.context.report({ type: "hook-error", hook: "authentication", error });
      return "not-authorized" as const;
    })
    .then((outcome) =>
      connection.context.turn.run(() =>
        connection.attempt(() => {
          authentication.running = false;
          if (isAuthenticated(outcome)) return then(outcome);
          const refused = refusal(outcome);
          if (refused) throw refusedConnect(refused, `Client "${credentials.clientId}" did not authenticate`);
          then({ username: credentials.username ?? "" });
        })
      )
    );
}

function ask(connection: Connection, authentication: Authentication, data: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    connection.context.turn.run(() => send(connection, authentication.method, CONTINUE, data));
    const { left } = authentication; // of a challenge that was not waited for
    authentication.left = () => {
      left?.();
      reject(new Error("The client has left"));
    };
    if (connection.ended) return authentication.left();
    authentication.answer = (answer) => {
      authentication.answer = undefined;
      authentication.left = left;
      resolve(answer);
    };
  });
}

function send(
  connection: Connection,
  authenticationMethod: string,
  reasonCode: number,
  data: Uint8Array | undefined,
): void {
  const properties = { authenticationMethod, ...data && { authenticationData: data } };
  connection.send({ cmd: "auth", reasonCode, properties });
}

/** Answers an AUTH. */
export function auth(connection: Connection, { reasonCode, properties = {} }: AuthPacket): void {
  const { authentication } = connection, { authenticationMethod, authenticationData } = properties;
  if (!authentication) throw new MqttError("protocol-error", "AUTH without an authentication method in the CONNECT"); // [MQTT5-4.12.0-7]
  const { method, credentials, running, answer } = authentication;
  if (authenticationMethod !== method) { // [MQTT5-4.12.0-5]
    throw new MqttError(
      "protocol-error",
      `Authentication method is "${authenticationMethod}", not "${method}" as in the CONNECT`,
    );
  }
  if (reasonCode === CONTINUE && answer) return answer(authenticationData ?? new Uint8Array());
  if (reasonCode !== REAUTHENTICATE || running || !connection.session) {
    throw new MqttError("protocol-error", `AUTH with reason code ${reasonCode} where none is due`);
  }
  authenticate(connection, method, credentials, authenticationData, ({ username, data }) => {
    connection.client = connection.session!.client = { ...connection.client!, username };
    send(connection, method, SUCCESS, data); // [MQTT5-4.12.1-1]
  });
}
