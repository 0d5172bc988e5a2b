/**
 * What operations on one series may look like from outside: a history of calls is right when there
 * is an order of them, in keeping with which call ended before which began, whose outcome is the
 * one that was read. A call that was killed is in that order wholly or not at all.
 *
 * A read that runs beside additions to several shards may miss one and have a later one: it need not
 * have additions that were not finished when it began. It may never mix what was before a remove,
 * clear or set with what came after it.
 */
import { before, type Ghost, ghost, kernel, type Op, type Process } from "./explorer.ts";

export interface Action {
  kind: "add" | "set" | "remove" | "clear";
  value: number;
  /** Only of values with a timestamp; 0 is none. */
  time?: number;
}
/** A series as read: `undefined` does not exist. */
export type Outcome = { value: number; time: number } | undefined;

export const text = (outcome: Outcome): string =>
  outcome === undefined ? "nothing" : `${outcome.value}@${outcome.time}`;

function apply(state: Outcome, { kind, value, time = 0 }: Action): Outcome {
  switch (kind) {
    case "add":
      return state === undefined ? { value, time: 0 } : { ...state, value: state.value + value };
    case "set":
      return { value, time };
    default:
      return undefined;
  }
}

const has = (mask: number, i: number) => (mask & (1 << i)) !== 0;

/** Ghost words: begun, ended, then for each action what had ended when it began. */
export class History {
  #actions: readonly Action[];
  #weak: boolean;
  #known = new Map<string, Set<string>>();
  readonly ghostWords: number;

  constructor(actions: readonly Action[], memory: "sc" | "weak") {
    this.#actions = actions;
    this.#weak = memory === "weak";
    this.ghostWords = 2 + actions.length;
  }

  /**
   * In weak memory "ended before it began" needs a message from one to the other: both ends are
   * system calls. Otherwise they are atomic with the first and last access. One that gives `failed`
   * was not acknowledged: it is like one that was killed.
   */
  *run(index: number, action: Op, failed?: number): Generator<Op, number, number> {
    yield* this.begin(index);
    return yield* this.end(index, action, failed);
  }

  /** The call begins; another may begin before it ends. */
  *begin(index: number): Process {
    yield* this.#edge("begin", (g) => {
      g[0] |= 1 << index;
      g[2 + index] = g[1];
    });
  }

  /** The action that ends the call. */
  *end(index: number, action: Op, failed?: number): Generator<Op, number, number> {
    const result = yield action;
    const end = ghost((g) => {
      if (result !== failed) g[1] |= 1 << index;
    });
    if (this.#weak) yield kernel("end", () => 0);
    yield end;
    return result;
  }

  /** Around a read: gives what had ended when it began. */
  *beginRead(slot: number): Process {
    yield* this.#edge("begin", (g) => {
      g[slot] = g[1];
    });
    return 0;
  }

  /** The read that began into `slot` gave this outcome; a last read is beside nothing. */
  judge(slot: number, outcome: Outcome): Op {
    return ghost((g) => {
      const due = slot < 0 ? g[1] : g[slot];
      const allowed = this.#allowed(g, due);
      if (!allowed.has(text(outcome))) {
        return `${text(outcome)} was read, possible were ${[...allowed].join(", ")}`;
      }
    });
  }

  *#edge(name: string, run: Ghost): Process {
    if (this.#weak) {
      yield kernel(name, () => 0);
      yield ghost(run);
    } else yield before(run);
  }

  #allowed(g: number[], due: number): Set<string> {
    const key = `${g.slice(0, this.ghostWords)}|${due}`;
    let outcomes = this.#known.get(key);
    if (outcomes === undefined) {
      outcomes = new Set();
      this.#extend(g, due, 0, undefined, outcomes);
      this.#known.set(key, outcomes);
    }
    return outcomes;
  }

  /** Put one more action behind those of `placed`; all outcomes where everything due is placed. */
  #extend(g: number[], due: number, placed: number, state: Outcome, outcomes: Set<string>): void {
    if ((due & ~placed) === 0) outcomes.add(text(state));
    this.#actions.forEach((action, i) => {
      if (has(placed, i) || !has(g[0], i)) return;
      const mustBeBehind = this.#actions.some((other, j) =>
        has(g[2 + i], j) && !has(placed, j) && (other.kind !== "add" || has(due, j))
      );
      if (mustBeBehind) return;
      /* What is placed must not begin after this one had ended. */
      const tooLate = this.#actions.some((_, j) => has(placed, j) && has(g[2 + j], i));
      if (tooLate) return;
      this.#extend(g, due, placed | 1 << i, apply(state, action), outcomes);
    });
  }
}
