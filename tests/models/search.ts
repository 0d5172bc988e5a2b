import type { Model, Report } from "./explorer.ts";
import { isOver, Machine, type State } from "./machine.ts";

/** Breadth first, so that the first violation found is a shortest one. */
export function search(model: Model, limit: number): Report {
  return new Search(model).run(limit);
}

class Search {
  #model: Model;
  #machine: Machine;
  #seen = new Map<string, number>();
  /** By number of a state: the state until it is done with, and how it was first reached. */
  #states: (State | undefined)[] = [];
  #from: number[] = [];
  #by: number[] = [];
  /** For progress: pairs of numbers, and the states where everyone has come to an end. */
  #edges: number[] = [];
  #finished: number[] = [];

  constructor(model: Model) {
    this.#model = model;
    this.#machine = new Machine(model);
  }

  run(limit: number): Report {
    this.#add(this.#machine.initial(), -1, 0);
    for (let id = 0; id < this.#states.length; id++) {
      if (this.#states.length > limit) {
        throw new Error(`more than ${limit} states: make the model smaller`);
      }
      const report = this.#visit(id);
      if (report !== undefined) return report;
    }
    if (this.#model.progress) {
      const stuck = firstStuck(this.#states.length, this.#edges, this.#finished);
      if (stuck >= 0) return this.#found("from here someone alive never comes to an end", stuck);
    }
    return { states: this.#states.length };
  }

  /** Everything after one state; a report if something is wrong in it or in a step from it. */
  #visit(id: number): Report | undefined {
    const state = this.#states[id]!;
    this.#states[id] = undefined;
    const last = (at: number) => state.memory[at][state.memory[at].length - 1].value;
    const wrong = this.#model.always?.(state.ghost, last);
    if (wrong) return this.#found(wrong, id);
    const steps = this.#machine.steps(state, false);
    for (let i = 0; i < steps.length; i++) {
      const { to, problem } = steps[i];
      if (problem !== undefined) {
        return this.#found(problem, id, this.#machine.steps(state, true)[i].label);
      }
      const next = this.#add(to, id, i);
      if (this.#model.progress) this.#edges.push(id, next);
    }
    if (state.processes.every(isOver)) {
      this.#finished.push(id);
      const wrong = this.#model.finally?.(state.ghost, last);
      if (wrong) return this.#found(wrong, id);
    } else if (steps.length === 0 && this.#model.progress !== false) {
      return this.#found("nobody can go on", id);
    }
  }

  /** The number of a state, new or known. */
  #add(state: State, from: number, by: number): number {
    const key = this.#machine.key(state);
    let id = this.#seen.get(key);
    if (id === undefined) {
      id = this.#states.length;
      this.#seen.set(key, id);
      this.#states.push(state);
      this.#from.push(from);
      this.#by.push(by);
    }
    return id;
  }

  #found(message: string, id: number, ...extra: string[]): Report {
    const choices: number[] = [];
    for (; id > 0; id = this.#from[id]) choices.push(this.#by[id]);
    let state = this.#machine.initial();
    const steps = choices.reverse().map((choice) => {
      const step = this.#machine.steps(state, true)[choice];
      state = step.to;
      return step.label;
    });
    return { states: this.#states.length, violation: { message, steps: [...steps, ...extra] } };
  }
}

/** The first state, in order of discovery, from which none of `finished` is reached; or -1. */
function firstStuck(count: number, edges: number[], finished: number[]): number {
  const into: number[][] = Array.from({ length: count }, () => []);
  for (let i = 0; i < edges.length; i += 2) into[edges[i + 1]].push(edges[i]);
  const good = new Uint8Array(count);
  const todo = [...finished];
  for (const id of todo) good[id] = 1;
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    for (const from of into[id]) {
      if (good[from]) continue;
      good[from] = 1;
      todo.push(from);
    }
  }
  return good.indexOf(0);
}
