/**
 * Finds what belongs to a name and its labels without sorting, escaping or joining them.
 *
 * A tree of Maps: from a name's root, each label as the caller wrote it, in the caller's order, is a
 * step. Two orders of the same labels, or `1` and `"1"`, are two paths to one thing: the tree only
 * remembers what the slow way has found.
 *
 * @module
 */

import { isRecord, type Labels } from "./labels.ts";

/** A label's name at one place of a path, and where each of its values leads. */
class Branch<T> {
  readonly key: string;
  readonly nodes: Map<unknown, PathNode<T>> = new Map();
  /** The branch of another name at the same place: rarely any, since callers repeat themselves. */
  next: Branch<T> | null;

  constructor(key: string, next: Branch<T> | null) {
    this.key = key;
    this.next = next;
  }
}

/** A place in the tree: all labels on the way to it. */
export class PathNode<T> {
  /** What these labels lead to; `missing` if nothing is known. */
  leaf: T;
  branch: Branch<T> | null = null;

  constructor(missing: T) {
    this.leaf = missing;
  }
}

const hasOwn = Object.prototype.hasOwnProperty;

/** How many names of labels a place remembers; the rest takes the slow way each time. */
const MOST_BRANCHES = 16;

/** The tree for every name. */
export class Paths<T> {
  readonly #roots = new Map<string, PathNode<T>>();
  readonly #missing: T;
  readonly #most: number;
  #count = 0;

  /**
   * @param missing what stands for "not known"
   * @param most how many places to remember: labels that come and go must not fill the memory
   */
  constructor(missing: T, most: number) {
    this.#missing = missing;
    this.#most = most;
  }

  /** What is known for a name and labels, or `missing`. */
  find(name: string, labels: Labels | null | undefined): T {
    const root = this.#roots.get(name);
    if (root === undefined) return this.#missing;
    if (labels === undefined || labels === null) return root.leaf;
    return typeof labels === "object" ? walk(root, labels, this.#missing) : this.#missing;
  }

  /** Remembers what a name and labels lead to. */
  put(name: string, labels: Labels | null | undefined, leaf: T): void {
    if (this.#count >= this.#most) this.clear();
    let node: PathNode<T> = this.#roots.get(name) ?? this.#root(name);
    for (const key in labels) {
      if (!hasOwn.call(labels, key)) continue;
      const branch: Branch<T> | null = branchFor(node, key);
      if (branch === null) return;
      const value = labels[key];
      let next: PathNode<T> | undefined = branch.nodes.get(value);
      if (next === undefined) {
        next = this.#node();
        branch.nodes.set(value, next);
      }
      node = next;
    }
    node.leaf = leaf;
  }

  /** Forgets a name; the places under it go on counting until everything is forgotten. */
  forget(name: string): void {
    this.#roots.delete(name);
  }

  /** Forgets everything. */
  clear(): void {
    this.#roots.clear();
    this.#count = 0;
  }

  #root(name: string): PathNode<T> {
    const node = this.#node();
    this.#roots.set(name, node);
    return node;
  }

  #node(): PathNode<T> {
    this.#count++;
    return new PathNode(this.#missing);
  }
}

// V8 makes this loop free of look-ups as long as the labels come in few shapes, and sees that
// hasOwn is always true for an object without inherited properties; Object.hasOwn it does not.
function walk<T>(root: PathNode<T>, labels: Labels, missing: T): T {
  let node = root;
  for (const key in labels) {
    if (!hasOwn.call(labels, key)) continue;
    let branch = node.branch;
    while (branch !== null && branch.key !== key) branch = branch.next;
    if (branch === null) return missing;
    const next = branch.nodes.get(labels[key]);
    if (next === undefined) return missing;
    node = next;
  }
  // Without a key it may be an empty list or Map: the slow way refuses those.
  return node === root && !isRecord(labels) ? missing : node.leaf;
}

function branchFor<T>(node: PathNode<T>, key: string): Branch<T> | null {
  let count = 0;
  for (let branch = node.branch; branch !== null; branch = branch.next) {
    if (branch.key === key) return branch;
    count++;
  }
  if (count >= MOST_BRANCHES) return null;
  return node.branch = new Branch(key, node.branch);
}
