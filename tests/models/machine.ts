import type { Ghost, Model, Op } from "./explorer.ts";
import { View } from "./views.ts";
import { type Edge, type Point, Programs } from "./programs.ts";

interface Message {
  value: number;
  /** What a reader learns by acquiring it. */
  view: View;
}
const ALIVE = 0, DEAD = 1, STOPPED = 2;
interface Process {
  at: Point;
  fate: number;
  /** What it knows, what an acquire fence would add, what a release fence has handed on. */
  now: View;
  acquired: View;
  released: View;
}
export interface State {
  processes: Process[];
  memory: Message[][];
  kernel: number[];
  /** What everyone learns from a system call; what everyone learns from a full fence. */
  kernelView: View;
  fenceView: View;
  ghost: number[];
  kills: number;
  stops: number;
}
export interface Step {
  to: State;
  label: string;
  problem?: string;
}

/** What a model's processes, memory and kernel can do: its states, and the steps between them. */
export class Machine {
  #model: Model;
  #names: string[];
  #weak: boolean;
  #programs = new Programs();
  #zero: View;
  #codes = new Uint16Array(65536);

  constructor(model: Model) {
    this.#model = model;
    this.#names = Object.keys(model.processes);
    this.#weak = model.memory === "weak";
    this.#zero = View.zero(model.locations.length);
  }

  initial(): State {
    const { locations, initial = {}, processes, kernelWords = 0, ghostWords = 0 } = this.#model;
    const zero = this.#zero;
    return {
      processes: Object.values(processes).map((program) => ({
        at: this.#programs.start(program).to,
        fate: ALIVE,
        now: zero,
        acquired: zero,
        released: zero,
      })),
      memory: locations.map((_, i) => [{ value: initial[i] ?? 0, view: zero }]),
      kernel: new Array(kernelWords).fill(0),
      kernelView: zero,
      fenceView: zero,
      ghost: new Array(ghostWords).fill(0),
      kills: this.#model.kills ?? 0,
      stops: this.#model.stops ?? 0,
    };
  }

  /** Everything that can happen next. Labels only when asked for: they are for people. */
  steps(state: State, labels: boolean): Step[] {
    const alone = this.#weak ? state.processes.findIndex((p, i) => this.#isUnnoticed(p, i)) : -1;
    const steps: Step[] = [];
    state.processes.forEach((process, self) => {
      if (process.fate !== ALIVE || process.at.op === undefined) return;
      if (alone >= 0 && self !== alone) return;
      this.#perform(state, self, process.at.op, steps, labels);
      if (mayEndBefore(process.at) && this.#isMortal(self)) this.#end(state, self, steps, labels);
    });
    return steps;
  }

  /** Does the next access commute with everything the others can do before it? Then it goes first. */
  #isUnnoticed(process: Process, self: number): boolean {
    const op = process.at.op;
    if (process.fate !== ALIVE || op === undefined || process.at.lazy.length > 0) return false;
    if (op.kind === "fence") return op.order !== "full";
    if (op.kind !== "store" && op.kind !== "load") return false;
    return this.#model.owned?.[op.at]?.includes(this.#names[self]) ?? false;
  }

  #isMortal(self: number): boolean {
    return this.#model.mortal?.includes(this.#names[self]) ?? true;
  }

  #end(state: State, self: number, steps: Step[], labels: boolean): void {
    const name = labels ? this.#names[self] : "";
    if (state.kills > 0) {
      const to = clone(state);
      to.kills--;
      to.processes[self] = { ...to.processes[self], fate: DEAD };
      to.kernelView = to.kernelView.join(to.processes[self].now);
      to.kernel = to.kernel.map((word) => word === self + 1 ? 0 : word);
      this.#model.onDeath?.(to.kernel, self, to.ghost);
      steps.push({ to: this.#normalised(to), label: `${name}: KILLED` });
    }
    if (state.stops > 0) {
      const to = clone(state);
      to.stops--;
      to.processes[self] = { ...to.processes[self], fate: STOPPED };
      steps.push({ to: this.#normalised(to), label: `${name}: STOPPED` });
    }
  }

  #perform(state: State, self: number, op: Op, steps: Step[], labels: boolean): void {
    const take = (value: number, change: (to: State, me: Process) => void, what = "") => {
      const to = clone(state);
      const me = to.processes[self] = { ...to.processes[self] };
      change(to, me);
      const edge = this.#programs.after(state.processes[self].at, value);
      const problem = this.#arrive(to, me, state.processes[self].at.lazy, edge);
      const label = labels ? `${this.#names[self]}: ${this.#describe(op)} ${what || value}` : "";
      steps.push({ to: this.#normalised(to), label, problem });
    };
    const last = (at: number) => state.memory[at][state.memory[at].length - 1];
    const me = state.processes[self];
    switch (op.kind) {
      case "load":
        for (let i = me.now.at[op.at]; i < state.memory[op.at].length; i++) {
          const message = state.memory[op.at][i];
          take(message.value, (_, me) => read(me, op.at, i, message, op.acquire));
        }
        break;
      case "store":
        take(0, (to, me) => this.#write(to, me, op.at, op.value, op.release), `${op.value}`);
        break;
      case "update": {
        const old = last(op.at);
        const value = op.change(old.value);
        take(old.value, (to, me) => {
          read(me, op.at, to.memory[op.at].length - 1, old, true);
          if (value !== undefined) this.#write(to, me, op.at, value, true, old.view);
        }, `${old.value} -> ${value ?? "left"}`);
        break;
      }
      case "lock": {
        const old = last(op.at);
        const owner = old.value - 1;
        if (owner >= 0 && state.processes[owner].fate !== DEAD) break;
        take(owner >= 0 ? 1 : 0, (to, me) => {
          read(me, op.at, to.memory[op.at].length - 1, old, true);
          if (owner >= 0) me.now = me.now.join(state.processes[owner].now);
          this.#write(to, me, op.at, self + 1, true, old.view);
        }, owner >= 0 ? `taken from dead ${this.#names[owner]}` : "taken");
        break;
      }
      case "fence":
        take(0, (to, me) => {
          if (op.order !== "release") me.now = me.now.join(me.acquired);
          if (op.order === "full") me.now = to.fenceView = me.now.join(to.fenceView);
          if (op.order !== "acquire") me.released = me.now;
        }, op.order);
        break;
      case "kernel": {
        const words = [...state.kernel];
        const result = op.call(words, self, (at) => last(at).value);
        if (result === undefined) break;
        take(result, (to, me) => {
          to.kernel = words;
          me.now = to.kernelView = me.now.join(to.kernelView);
        });
        break;
      }
      case "choose":
        for (let i = 0; i < op.count; i++) take(i, () => {});
        break;
      case "quiet":
        if (state.processes.every((p) => isOver(p) || p.at.op?.kind === "quiet")) {
          take(0, (to, me) => {
            me.now = me.acquired = me.released = this.#zero.with(
              to.memory.map((list) => list.length - 1),
            );
          });
        }
        break;
      case "fail":
        steps.push({ to: state, label: `${this.#names[self]}: fails`, problem: op.message });
        break;
      default:
        throw new Error(`a program may not stop at ${op.kind}`);
    }
  }

  #write(to: State, me: Process, at: number, value: number, release: boolean, from?: View): void {
    if (!this.#weak) {
      to.memory[at] = [{ value, view: this.#zero }];
      return;
    }
    const index = to.memory[at].length;
    me.now = me.now.raised(at, index);
    me.acquired = me.acquired.join(me.now);
    let view = (release ? me.now : me.released).raised(at, index);
    if (from !== undefined) view = view.join(from);
    to.memory[at] = [...to.memory[at], { value, view }];
  }

  /** Move on to the next point with the bookkeeping of the way. */
  #arrive(to: State, me: Process, lazy: Ghost[], edge: Edge): string | undefined {
    me.at = edge.to;
    let problem: string | undefined;
    for (const run of lazy) problem ??= run(to.ghost) ?? undefined;
    for (const run of edge.run) problem ??= run(to.ghost) ?? undefined;
    return problem;
  }

  /** Forget messages that nobody can read any more, so that equal states look equal. */
  #normalised(state: State): State {
    if (!this.#weak) return state;
    const floor = state.memory.map((list) => list.length - 1);
    for (const p of state.processes) {
      if (isOver(p) || p.at.op?.kind === "quiet") continue;
      for (let i = 0; i < floor.length; i++) floor[i] = Math.min(floor[i], p.now.at[i]);
    }
    if (floor.some((x) => x > 0)) {
      state.memory = state.memory.map((list, at) =>
        list.slice(floor[at]).map(({ value, view }) => ({ value, view: view.lowered(floor) }))
      );
      state.processes = state.processes.map((p) => ({
        ...p,
        now: p.now.lowered(floor),
        acquired: p.acquired.lowered(floor),
        released: p.released.lowered(floor),
      }));
      state.kernelView = state.kernelView.lowered(floor);
      state.fenceView = state.fenceView.lowered(floor);
    }
    state.processes.forEach((p, i) => {
      if (p.at.op === undefined || p.fate === STOPPED) {
        const zero = this.#zero;
        state.processes[i] = { ...p, now: zero, acquired: zero, released: zero };
      }
    });
    return state;
  }

  /** All of a state in one text: equal texts are equal states. Small codes keep it short. */
  key(state: State): string {
    const codes = this.#codes;
    let n = 0;
    const put = (value: number) => {
      if ((value & 0xffff) !== value) {
        throw new RangeError(`a model's values are below 2^16: ${value}`);
      }
      codes[n++] = value;
    };
    const putId = (id: number) => {
      codes[n++] = id >> 8;
      codes[n++] = id & 255;
    };
    put(state.kills);
    put(state.stops);
    for (const p of state.processes) {
      putId(p.at.id);
      put(p.fate);
      if (!this.#weak || p.at.op === undefined) continue;
      putId(p.now.id);
      putId(p.acquired.id);
      putId(p.released.id);
    }
    for (const list of state.memory) {
      put(list.length);
      for (const { value, view } of list) {
        put(value);
        if (this.#weak) putId(view.id);
      }
    }
    state.kernel.forEach(put);
    state.ghost.forEach(put);
    if (this.#weak) {
      putId(state.kernelView.id);
      putId(state.fenceView.id);
    }
    return String.fromCharCode.apply(null, codes.subarray(0, n) as unknown as number[]);
  }

  #describe(op: Op): string {
    if (op.kind === "kernel") return op.name;
    if (!("at" in op)) return op.kind;
    const order = op.kind === "load" && op.acquire
      ? " acquire"
      : op.kind === "store" && op.release
      ? " release"
      : "";
    return `${op.kind}${order} ${this.#model.locations[op.at]}`;
  }
}

function read(me: Process, at: number, index: number, message: Message, acquire: boolean): void {
  me.now = me.now.raised(at, index);
  if (acquire) me.now = me.now.join(message.view);
  me.acquired = me.acquired.join(me.now).join(message.view);
}

function clone(state: State): State {
  return {
    ...state,
    processes: [...state.processes],
    memory: [...state.memory],
    ghost: [...state.ghost],
  };
}

export function isOver(process: Process): boolean {
  return process.fate !== ALIVE || process.at.op === undefined;
}

/** Is the next access one that others can notice? */
function mayEndBefore(point: Point): boolean {
  return ["store", "update", "lock", "kernel"].includes(point.op!.kind);
}
