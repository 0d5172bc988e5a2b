import { type Model, type Op, type Process, quiet } from "./explorer.ts";
import { type Action, History, type Outcome } from "./history.ts";

/**
 * "add twice" is two additions after one look, which both begin with it (ffi/direct.ts D2). In "add late" the second
 * says that it begins when it adds: a mistake, to be caught.
 */
export type Work =
  | "add"
  | "add twice"
  | "add late"
  | "set"
  | "set at"
  | "remove"
  | "clear"
  | "read";

/** How a protocol does each kind of work, as one call. */
export interface Protocol {
  add(worker: number, amount: number): Op;
  /** What an addition looks at first, and an addition after a look that gave this. */
  look?(): Op;
  addSeen?(worker: number, amount: number, seen: number): Op;
  /** `known` is what the worker's last set gave, 0 at first. */
  set(worker: number, action: Action, known: number): Op;
  remove(): Op;
  clear(): Op;
  read(): Op;
  outcome(read: number): Outcome;
}

/**
 * Workers with a list of work each, on one series. Amounts are 1, 2, 4... so that sums tell their
 * parts; a set "at" has a time. With `equal` all sets are of 1, so that a compare-and-swap may take
 * one set's value for another's. Every read is judged, and one more when all is quiet.
 */
export function scenario(
  work: Work[][],
  base: Pick<Model, "locations" | "initial" | "memory"> & Partial<Model>,
  protocol: Protocol,
  equal = false,
): Model {
  const actions: Action[] = [];
  const plan = work.map((list) =>
    list.map((kind) => {
      if (kind === "read") return { kind, index: -1 };
      if (kind === "add twice" || kind === "add late") {
        const index = actions.length;
        for (const value of [1 << index, 2 << index]) actions.push({ kind: "add", value, time: 0 });
        return { kind, index };
      }
      const value = equal && kind.startsWith("set") ? 1 : 1 << actions.length;
      const time = kind === "set at" ? actions.length + 1 : 0;
      return {
        kind,
        index: actions.push({ kind: kind === "set at" ? "set" : kind, value, time }) - 1,
      };
    })
  );
  const history = new History(actions, base.memory);
  function* addTwice(worker: number, index: number, late: boolean): Process {
    const [first, second] = [index, index + 1];
    yield* history.begin(first);
    if (!late) yield* history.begin(second);
    const seen = yield protocol.look!();
    yield* history.end(first, protocol.addSeen!(worker, actions[first].value, seen));
    if (late) yield* history.begin(second);
    yield* history.end(second, protocol.addSeen!(worker, actions[second].value, seen));
  }
  const begun = (worker: number) => history.ghostWords + worker;
  const processes = plan.map((list, worker) =>
    function* (): Process {
      let known = 0;
      for (const { kind, index } of list) {
        const action = actions[index];
        if (kind === "read") {
          yield* history.beginRead(begun(worker));
          yield history.judge(begun(worker), protocol.outcome(yield protocol.read()));
        } else if (kind === "add twice" || kind === "add late") {
          yield* addTwice(worker, index, kind === "add late");
        } else if (kind === "add") yield* history.run(index, protocol.add(worker, action.value));
        else if (kind === "remove") yield* history.run(index, protocol.remove());
        else if (kind === "clear") yield* history.run(index, protocol.clear());
        else known = yield* history.run(index, protocol.set(worker, action, known));
      }
    }
  );
  const names = work.map((list, i) => `${i} ${list.join(", ")}`);
  return {
    ghostWords: begun(work.length),
    processes: {
      ...Object.fromEntries(processes.map((run, i) => [names[i], run])),
      *last() {
        yield quiet();
        yield history.judge(-1, protocol.outcome(yield protocol.read()));
      },
    },
    mortal: names.filter((_, i) => !work[i].includes("read")),
    progress: true,
    ...base,
  };
}
