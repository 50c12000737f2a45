// Operators that Brook adds to those of RxJS.
export { rateLimit, type RateLimitOptions } from "./rate_limit.ts";
export { serialize } from "./serialize.ts";
