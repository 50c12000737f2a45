// What two topic filters have in common (section 4.7): whether one takes in everything that the other one matches, and
// whether there is anything that both match. A right is a topic filter, and so is what a client asks for: what matches()
// is for a topic name, these are for a filter. Both filters are taken to be valid; a topic name is a filter, too.

/** A topic filter, as text or as its levels: whoever asks often splits it once. */
export type Filter = string | readonly string[];

/** Whether every topic name that `filter` matches is one that `wide` matches, too. */
export function covers(wide: Filter, filter: Filter): boolean {
  const outer = levelsOf(wide), inner = levelsOf(filter);
  if (!sameRoot(outer[0], inner[0])) return false;
  for (let i = 0; i < outer.length; i++) {
    const level = outer[i];
    if (level === "#") return true; // also the parent: "a/#" covers "a"
    if (i >= inner.length || inner[i] === "#" || level !== "+" && level !== inner[i]) return false;
  }
  return outer.length === inner.length;
}

/** Whether there is a topic name that both filters match. */
export function overlaps(one: Filter, other: Filter): boolean {
  const ours = levelsOf(one), theirs = levelsOf(other);
  if (!sameRoot(ours[0], theirs[0]) || !sameRoot(theirs[0], ours[0])) return false;
  for (let i = 0; i < ours.length || i < theirs.length; i++) {
    const a = ours[i], b = theirs[i];
    if (a === "#" || b === "#") return true; // also where the other one has ended: the parent
    if (a === undefined || b === undefined) return false;
    if (a !== b && a !== "+" && b !== "+") return false;
  }
  return true;
}

/** The levels; those of two filters that match the same are the same: no topic name is empty [MQTT-4.7.3-1]. */
function levelsOf(filter: Filter): readonly string[] {
  const levels = typeof filter === "string" ? filter.split("/") : filter;
  if (levels.length !== 2 || levels[1] !== "#") return levels;
  if (levels[0] === "+") return ["#"];
  return levels[0] === "" ? ["", "+", "#"] : levels;
}

/** A wildcard in front stands for no topic that begins with "$" [MQTT-4.7.2-1]. */
function sameRoot(outer: string | undefined, inner: string | undefined): boolean {
  return outer !== "+" && outer !== "#" || !inner?.startsWith("$");
}
