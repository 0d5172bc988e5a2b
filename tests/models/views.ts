/**
 * What a process knows: for each location the oldest message it may still read. Equal views are one
 * object, so that comparing them, joining them again and writing them into a state's key is cheap.
 */
export class View {
  readonly id: number;
  readonly at: readonly number[];
  #all: Map<string, View>;
  #joined = new Map<number, View>();

  private constructor(at: readonly number[], all: Map<string, View>) {
    this.at = at;
    this.#all = all;
    this.id = all.size;
  }

  /** The view that knows nothing, of its own family of views. */
  static zero(locations: number): View {
    const zero = new View(new Array(locations).fill(0), new Map());
    zero.#all.set(zero.at.join(), zero);
    return zero;
  }

  with(at: readonly number[]): View {
    const text = at.join();
    let view = this.#all.get(text);
    if (view === undefined) {
      view = new View(at, this.#all);
      this.#all.set(text, view);
    }
    return view;
  }

  /** All that either knows. */
  join(other: View): View {
    if (other === this) return this;
    let view = this.#joined.get(other.id);
    if (view === undefined) {
      view = this.with(this.at.map((x, i) => Math.max(x, other.at[i])));
      this.#joined.set(other.id, view);
    }
    return view;
  }

  raised(location: number, to: number): View {
    if (this.at[location] >= to) return this;
    return this.with(this.at.map((x, i) => i === location ? to : x));
  }

  /** The same when so many messages of each location are forgotten. */
  lowered(by: readonly number[]): View {
    return this.with(this.at.map((x, i) => Math.max(0, x - by[i])));
  }
}
