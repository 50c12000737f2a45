// Every transport behaves as the broker relies on.
import { streamSuite } from "../suites/stream.ts";
import { canIssue } from "./certificates.ts";
import { memoryEnds, proxyEnds, tcpEnds, tlsEnds, tlsOverMemoryEnds, unixEnds, webSocketEnds } from "./ends.ts";

streamSuite("Memory", memoryEnds);
streamSuite("TCP", tcpEnds);
streamSuite("TCP behind a PROXY header", proxyEnds);
streamSuite("Unix socket", unixEnds);
streamSuite("TLS", tlsEnds, { ignore: !canIssue });
streamSuite("TLS over another stream", tlsOverMemoryEnds, { ignore: !canIssue });
// A close frame ends both directions, and nothing can slow down who sends.
streamSuite("WebSocket", webSocketEnds, { halfClose: false, pacesPeer: false });
