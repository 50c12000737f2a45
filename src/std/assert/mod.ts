// A stand-in for jsr:@std/assert, on node:assert: the functions that our tests use, with the same names, arguments and
// behaviour, for networks that do not reach JSR. Deleting "links" in deno.json goes back to JSR's own. (`msg!` is for
// the types of node:assert that @types/node declares: some packages bring them along, and they take no undefined
// message.)
import assertions from "node:assert/strict";

/** Thrown by a failed assertion. */
export const AssertionError: typeof assertions.AssertionError = assertions.AssertionError;

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

function failure(message: string, suffix?: string): Error {
  return new AssertionError({ message: suffix ? `${message}: ${suffix}` : message });
}

/** Throws unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw failure(msg || "Expected a truthy value");
}

/** Throws unless both are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  assertions.deepStrictEqual(actual, expected, msg!);
}

/** Throws where both are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  assertions.notDeepStrictEqual(actual, expected, msg!);
}

/** Throws unless both are the same value, as `Object.is` sees it. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  assertions.strictEqual(actual, expected, msg!);
}

/** Throws unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) throw failure(`Expected "${actual}" to contain "${expected}"`, msg);
}

/** Throws unless `actual` matches `expected`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  assertions.match(actual, expected, msg!);
}

/** Throws unless `actual` is greater than `expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) throw failure(`Expected ${actual} > ${expected}`, msg);
}

/** Throws unless `actual` is less than `expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) throw failure(`Expected ${actual} < ${expected}`, msg);
}

/** Throws unless `error` is an `ErrorClass` whose message includes `msgMatches`. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  // deno-lint-ignore no-explicit-any
  ErrorClass?: ErrorClass<E> | (new (...args: any[]) => E),
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) throw failure(`Expected an Error, got ${String(error)}`, msg);
  if (ErrorClass && !(error instanceof ErrorClass)) {
    throw failure(`Expected ${ErrorClass.name}, got ${error.constructor.name}: ${error.message}`, msg);
  }
  if (typeof msgMatches === "string") assertStringIncludes(error.message, msgMatches, msg);
  else if (msgMatches) assertMatch(error.message, msgMatches, msg);
}

/** Throws unless `fn` throws, and returns what it threw. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass?: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E {
  try {
    fn();
  } catch (error) {
    assertIsError(error, ErrorClass, msgIncludes, msg);
    return error;
  }
  throw failure("Expected the function to throw", msg);
}

/** Rejects unless what `fn` returns rejects, and resolves to what it rejected with. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass?: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    assertIsError(error, ErrorClass, msgIncludes, msg);
    return error;
  }
  throw failure("Expected the function to reject", msg);
}
