import { search } from "./search.ts";

/**
 * A small explicit-state model checker: every interleaving, every kill, every value a load may see.
 *
 * A process is a generator that yields one access to shared memory at a time and is otherwise a pure
 * function of its arguments and of the values it was given: the explorer runs it again to reach a
 * point, so a process is a position in a program plus what it has seen. States are compared byte for
 * byte (no hash compaction) and visited breadth first, so a counterexample is a shortest one.
 *
 *     function* increment(): Process {
 *       const old = yield load(CELL);
 *       yield store(CELL, old + 1);
 *     }
 *
 * Memory. With `memory: "sc"` a load sees the last store. With "weak" it is the view machine of C11
 * (RC11): a location is a list of messages in modification order, a process has for each location the
 * oldest message it may still read, and reading may return any message from there on. A release
 * store carries its process's view, an acquire load takes it over, fences do it for the relaxed
 * accesses around them, a read-modify-write reads the last message and continues its release
 * sequence. So stores become visible out of order and loads are satisfied early unless something
 * forbids it. This is weaker than arm64, which is multi-copy atomic, in one way: two readers may
 * disagree on the order of independent stores. What is right here is right on arm64 and in C11.
 *
 * Limits. A store is appended to the modification order when it is executed, and a load is never
 * satisfied by a store that is later in program order (no load buffering; real code has control
 * dependencies there). A failing compare-and-swap sees the last value. Words are never torn. Bounds on
 * processes, operations and kills are those of each model; nothing is proved beyond them.
 *
 * Death. A kill stops a process between two accesses. Its stores stay and are all visible to whoever
 * learns of the death from the kernel. A stop freezes a process that the kernel still calls alive.
 * Only moments before an access that others can notice are tried: a kill before a load is the same
 * as a kill before the next store.
 */

/** Bookkeeping of a model, atomic with an access. A returned text is a violation. */
export type Ghost = (ghost: number[]) => string | void;

export type Op =
  | { kind: "load"; at: number; acquire: boolean }
  | { kind: "store"; at: number; value: number; release: boolean }
  | { kind: "update"; at: number; change: (old: number) => number | undefined }
  | { kind: "fence"; order: "acquire" | "release" | "full" }
  | { kind: "lock"; at: number }
  | { kind: "kernel"; name: string; call: KernelCall }
  | { kind: "choose"; count: number }
  | { kind: "quiet" }
  | { kind: "fail"; message: string }
  | { kind: "ghost"; run: Ghost; lazy: boolean }
  | { kind: "call"; program: Program; args: number[] };

/** A system call: sees and changes the kernel's words, memory's last values, and who is dead. */
export type KernelCall = (
  kernel: number[],
  self: number,
  last: (at: number) => number,
) => number | undefined;

export interface Again {
  program: Program;
  args: number[];
}
export type Process = Generator<Op, number | Again | void, number>;
export type Program = (...args: number[]) => Process;

export const load = (at: number): Op => ({ kind: "load", at, acquire: false });
export const acquire = (at: number): Op => ({ kind: "load", at, acquire: true });
export const store = (at: number, value: number): Op => ({
  kind: "store",
  at,
  value,
  release: false,
});
export const release = (at: number, value: number): Op => ({
  kind: "store",
  at,
  value,
  release: true,
});
/** Read-modify-write, acquire and release; gives the old value. `undefined` writes nothing. */
export const update = (at: number, change: (old: number) => number | undefined): Op => ({
  kind: "update",
  at,
  change,
});
export const cas = (at: number, from: number, to: number): Op =>
  update(at, (old) => old === from ? to : undefined);
export const exchange = (at: number, value: number): Op => update(at, () => value);
export const fetchAdd = (at: number, by: number): Op => update(at, (old) => old + by);
export const fence = (order: "acquire" | "release" | "full"): Op => ({ kind: "fence", order });
/** The lock of lock_test.ts in one step: blocks while the owner lives, gives 1 after a takeover. */
export const lock = (at: number): Op => ({ kind: "lock", at });
export const unlock = (at: number): Op => release(at, 0);
/** A system call: acquires and releases what all system calls know, no fence; `undefined` blocks. */
export const kernel = (name: string, call: KernelCall): Op => ({ kind: "kernel", name, call });
/** Any of 0 .. count - 1. */
export const choose = (count: number): Op => ({ kind: "choose", count });
/** Waits until every process that does not wait so is done, dead or stopped, then sees it all. */
export const quiet = (): Op => ({ kind: "quiet" });
export const fail = (message: string): Op => ({ kind: "fail", message });
/** Runs together with the access before it (an operation's end). */
export const ghost = (run: Ghost): Op => ({ kind: "ghost", run, lazy: false });
/** Runs together with the access after it (an operation's begin). */
export const before = (run: Ghost): Op => ({ kind: "ghost", run, lazy: true });
/** Runs a program to its end; afterwards only its result is remembered, not the way there. */
export const call = (program: Program, ...args: number[]): Op => ({ kind: "call", program, args });
/** Returned by a program: go on with that one instead. Every endless loop needs it. */
export const again = (program: Program, ...args: number[]): Again => ({ program, args });

export interface Model {
  /** Names of the locations; a number in the code is an index into them. */
  locations: readonly string[];
  initial?: Record<number, number>;
  processes: Record<string, Program>;
  memory: "sc" | "weak";
  /** How many kills, and how many stops, happen at most. */
  kills?: number;
  stops?: number;
  /** Who may be killed or stopped; everyone if left out. */
  mortal?: readonly string[];
  /**
   * Locations that only one process at a time may write, by these processes: a lock or a slot orders
   * them, they touch them only while they own them, and nobody uses a read-modify-write there. In
   * weak memory an owner's accesses to them are then done at once: a reader may read the older
   * messages all the same, so no outcome is lost, but most interleavings are.
   */
  owned?: Readonly<Record<number, readonly string[]>>;
  kernelWords?: number;
  ghostWords?: number;
  /** At a process's death, besides its words (those that hold its number + 1) becoming 0. */
  onDeath?: (kernel: number[], dead: number, ghost: number[]) => void;
  /** Checked in every state, and in states where nothing can happen any more. */
  always?: (ghost: readonly number[], last: (at: number) => number) => string | void;
  finally?: (ghost: readonly number[], last: (at: number) => number) => string | void;
  /** Also demand that from every state all processes left alive can still come to their end. */
  progress?: boolean;
}

export interface Violation {
  message: string;
  steps: string[];
}
export interface Report {
  states: number;
  violation?: Violation;
}

/** Names to indices, for a model's locations and ghosts. */
export function enumerate<const N extends string>(...names: N[]): Record<N, number> {
  return Object.fromEntries(names.map((name, i) => [name, i])) as Record<N, number>;
}

/** Explore a model to the end, or to its first (shortest) violation. */
export function explore(model: Model, limit = 3_000_000): Report {
  return search(model, limit);
}
