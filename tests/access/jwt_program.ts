// Takes a token as the argument, with a shared secret: what that needs of the machine.
import { jwt } from "../../src/access/jwt.ts";

const { authenticate } = await jwt({ key: "0123456789abcdef0123456789abcdef", algorithms: ["HS256"] });
const credentials = { clientId: "c", username: "lamp", passwordBytes: undefined, remote: "" };
console.log(await authenticate({ ...credentials, password: Deno.args[0] }));
