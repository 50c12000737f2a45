// Who wants a message: a trie from topic filters to subscribers, level by level, and a bounded cache from topic names to the
// answer. Invariant: `match` finds exactly the subscribers whose filter `matches` (filter.ts), at a cost that grows with the
// matches, not with the subscriptions.
import { keyOf, levelKeys } from "../keys.ts";
import { isWildcard } from "./filter.ts";

/** What the cache may hold: subscribers in all its answers together, each answer counted as some more. */
const CACHE_WEIGHT = 1_000_000, ANSWER_WEIGHT = 20;

/** Longer topics are not cached. */
const LONGEST_CACHED = 256;

/** A level. Most have one child or none, and one subscriber: the tables for more are made when they are needed. */
class Node<S> {
  children: Map<string, Node<S>> | undefined;
  #first: S | undefined;
  #others: Set<S> | undefined;

  get empty(): boolean {
    return !this.children && this.#first === undefined && !this.#others;
  }

  child(level: string): Node<S> {
    const children = this.children ??= new Map();
    let child = children.get(level);
    if (!child) children.set(level, child = new Node());
    return child;
  }

  deleteChild(level: string): void {
    this.children!.delete(level);
    if (this.children!.size === 0) this.children = undefined;
  }

  add(subscriber: S): void {
    if (this.#first === undefined) this.#first = subscriber;
    else if (this.#first !== subscriber) (this.#others ??= new Set()).add(subscriber);
  }

  delete(subscriber: S): void {
    if (this.#first === subscriber) this.#first = undefined;
    else if (this.#others?.delete(subscriber) && this.#others.size === 0) this.#others = undefined;
  }

  /** Not `push(...others)`: a hundred thousand subscribers of one filter would be as many arguments. */
  appendTo(list: S[]): void {
    if (this.#first !== undefined) list.push(this.#first);
    if (this.#others) { for (const subscriber of this.#others) list.push(subscriber); }
  }
}

/** Subscribers by topic filter. `compile` turns those that match a topic into what the caller wants to keep for that topic. */
export class TopicIndex<S, Route> {
  readonly #root = new Node<S>();
  readonly #cache = new Map<string, Route>();
  #weight = 0;
  readonly #compile: (subscribers: S[]) => Route;

  constructor(compile: (subscribers: S[]) => Route) {
    this.#compile = compile;
  }

  /** Adds a subscriber; the filter must be valid. */
  add(filter: string, subscriber: S): void {
    let node = this.#root;
    for (const level of levelKeys(filter)) node = node.child(level);
    node.add(subscriber);
    this.#forget(filter);
  }

  /** Removes a subscriber, and with it every level that nobody needs any more. */
  delete(filter: string, subscriber: S): void {
    const path = [this.#root], levels = levelKeys(filter);
    for (const level of levels) {
      const child = path.at(-1)!.children?.get(level);
      if (!child) return;
      path.push(child);
    }
    path.at(-1)!.delete(subscriber);
    for (let depth = levels.length; depth > 0 && path[depth]!.empty; depth--) {
      path[depth - 1]!.deleteChild(levels[depth - 1]!);
    }
    this.#forget(filter);
  }

  /** What `compile` made of the subscribers whose filters match `topic`. Do not change it: it is shared by later calls. */
  match(topic: string): Route {
    let route = this.#cache.get(keyOf(topic));
    if (route === undefined) {
      const found = this.#walk(topic);
      route = this.#compile(found);
      if (topic.length <= LONGEST_CACHED) this.#remember(topic, route, found.length + ANSWER_WEIGHT);
    }
    return route;
  }

  #remember(topic: string, route: Route, weight: number): void {
    if (this.#weight + weight > CACHE_WEIGHT) this.#clear();
    this.#weight += weight;
    this.#cache.set(keyOf(topic), route);
  }

  #clear(): void {
    this.#cache.clear();
    this.#weight = 0;
  }

  #forget(filter: string): void {
    if (isWildcard(filter)) this.#clear();
    else this.#cache.delete(keyOf(filter));
  }

  /** Iterative: a topic of 30,000 levels must not end in a stack overflow. */
  #walk(topic: string): S[] {
    const levels = levelKeys(topic), found: S[] = [];
    const pending: { node: Node<S>; depth: number }[] = [{ node: this.#root, depth: 0 }];
    for (let step = pending.pop(); step; step = pending.pop()) {
      const { node, depth } = step;
      const hidden = depth === 0 && topic.startsWith("$"); // from wildcards [MQTT-4.7.2-1]
      const { children } = node, wild = hidden ? undefined : children;
      wild?.get("#")?.appendTo(found);
      if (depth === levels.length) {
        node.appendTo(found);
        continue;
      }
      const any = wild?.get("+"), exact = children?.get(levels[depth]!);
      if (any) pending.push({ node: any, depth: depth + 1 });
      if (exact) pending.push({ node: exact, depth: depth + 1 });
    }
    return found;
  }
}
