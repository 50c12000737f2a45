import { assertEquals } from "@std/assert";
import { Unicast } from "../../src/operators/unicast.ts";
import { filter } from "../../src/rx.ts";

Deno.test("A stream for one subscriber emits to that one, through operators, until it unsubscribes or the stream ends", () => {
  const seen: unknown[] = [], first = new Unicast<number>(), second = new Unicast<number>();
  first.next(0); // nobody listens yet
  const subscription = first.pipe(filter((n) => n !== 2)).subscribe({
    next: (n) => seen.push(n),
    complete: () => seen.push("end"),
  });
  for (const n of [1, 2, 3]) first.next(n);
  subscription.unsubscribe();
  first.next(4);
  first.complete();
  second.subscribe({ next: (n) => seen.push(n), complete: () => seen.push("end") });
  second.next(5);
  second.complete();
  second.next(6);
  assertEquals(seen, [1, 3, 5, "end"]);
});

Deno.test("A stream for one subscriber takes no second one, and goes on to the first", () => {
  const stream = new Unicast<number>(), seen: unknown[] = [];
  stream.subscribe((n) => seen.push(n));
  stream.subscribe({ next: () => seen.push("second"), error: ({ message }) => seen.push(message) });
  stream.next(1);
  assertEquals(seen, ["Stream has its one subscriber already", 1]);
});
