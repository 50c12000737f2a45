// How fast something grows, told from samples that go up and down for other reasons: caches that fill and are emptied, code that is
// compiled. The slope of the line is the median of the slopes between all pairs of samples (Theil and Sen), which single ones that
// are far off do not move.

/** A value, and how much had happened by then. */
export type Sample = readonly [at: number, value: number];

/** How much a value grows for each one that happens; 0 where there are fewer than two samples. */
export function growthOf(samples: readonly Sample[]): number {
  const slopes = samples.flatMap(([at, value], i) =>
    samples.slice(i + 1).filter(([later]) => later > at).map(([later, other]) => (other - value) / (later - at))
  );
  return median(slopes);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b), middle = sorted.length >> 1;
  if (sorted.length === 0) return 0;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
