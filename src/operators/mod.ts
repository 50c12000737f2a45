// Operators that Brook adds to those of RxJS.
export { paced, type PacedOptions } from "./paced.ts";
export { rateLimit, type RateLimitOptions } from "./rate_limit.ts";
export { serialize } from "./serialize.ts";
