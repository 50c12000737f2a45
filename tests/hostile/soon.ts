// A deadline for what a test waits for: it passes only where the test fails.

/** How long a test waits for what does not come, in milliseconds. */
const PATIENCE = 30_000;

/** What a promise resolves to; an error that says what did not come where that takes too long. */
export async function soon<T>(promise: Promise<T>, what: string, patience = PATIENCE): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`Waited ${patience} ms for ${what}`)), patience);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
