import type { Again, Ghost, Op, Program } from "./explorer.ts";

interface Frame {
  program: Program;
  args: number[];
  seen: number[];
}
/** A position in a program and what was seen on the way: `op` is next, nothing is left if undefined. */
export interface Point {
  id: number;
  op: Op | undefined;
  lazy: Ghost[];
  frames: Frame[];
  next: Map<number, Edge>;
}
/** A step to a point, with the bookkeeping that happens in that step. */
export interface Edge {
  to: Point;
  run: Ghost[];
}

/** Programs as graphs: points are reached by running the generator again, once for each point. */
export class Programs {
  #points = new Map<string, Point>();
  #names = new Map<Program, number>();

  start(program: Program): Edge {
    return this.#resolve([{ program, args: [], seen: [] }]);
  }
  after(point: Point, value: number): Edge {
    let edge = point.next.get(value);
    if (edge === undefined) {
      const frames = [...point.frames];
      const top = frames[frames.length - 1];
      frames[frames.length - 1] = { ...top, seen: [...top.seen, value] };
      edge = this.#resolve(frames);
      point.next.set(value, edge);
    }
    return edge;
  }
  #resolve(frames: Frame[]): Edge {
    const run: Ghost[] = [];
    const lazy: Ghost[] = [];
    let op: Op | undefined;
    while (op === undefined && frames.length > 0) {
      const top = frames[frames.length - 1] = { ...frames[frames.length - 1] };
      const generator = top.program(...top.args);
      let result = generator.next();
      for (const value of top.seen) result = generator.next(value);
      while (!result.done && result.value.kind === "ghost") {
        (result.value.lazy ? lazy : run).push(result.value.run);
        top.seen = [...top.seen, 0];
        result = generator.next(0);
      }
      if (!result.done && result.value.kind !== "call") op = result.value;
      else if (!result.done) frames.push({ ...result.value as Again, seen: [] });
      else if (typeof result.value === "object") {
        frames[frames.length - 1] = { ...result.value, seen: [] };
      } else {
        frames.pop();
        const below = frames[frames.length - 1];
        if (below !== undefined) {
          frames[frames.length - 1] = { ...below, seen: [...below.seen, result.value ?? 0] };
        }
      }
    }
    return { to: this.#intern(frames, op, lazy), run };
  }
  #intern(frames: Frame[], op: Op | undefined, lazy: Ghost[]): Point {
    const name = (program: Program) => {
      if (!this.#names.has(program)) this.#names.set(program, this.#names.size);
      return this.#names.get(program);
    };
    const key = frames.map((f) => `${name(f.program)}(${f.args})${f.seen}`).join("/");
    let point = this.#points.get(key);
    if (point === undefined) {
      point = { id: this.#points.size, op, lazy, frames, next: new Map() };
      this.#points.set(key, point);
    }
    return point;
  }
}
