/**
 * The untyped methods: any name, any labels, at any time.
 *
 * Every method first tries what is remembered for its name and labels; a number that C does not know
 * as a handle makes the native call fail, so a miss, a closed store and a full one all end in the slow
 * method beside it, and the fast one has a single condition.
 *
 * @module
 */

import * as native from "../ffi/native.ts";
import type { Collectors } from "./collectors.ts";
import { failures, StoreError } from "./errors.ts";
import { defaultBuckets, type Families, type Family } from "./families.ts";
import {
  compareBytes,
  fullName,
  type LabelPair,
  labelPairs,
  type Labels,
  type NameValidation,
  seriesKey,
} from "./labels.ts";
import { numberOf, timestampOf } from "./numbers.ts";
import { Paths } from "./paths.ts";
import type { Store } from "./store.ts";

/** What the parts of one `PrometheusTinyShared` share. */
export interface Context {
  readonly store: Store;
  readonly families: Families;
  readonly collectors: Collectors;
  readonly defaults: readonly LabelPair[];
  readonly validation: NameValidation;
  /** Before every name. Paths are of names without it, families and series of names with it. */
  readonly prefix: string;
}

/** An observation that must look its series up again. */
const again: ReadonlySet<number> = new Set([failures.MISMATCH[0], failures.STALE[0]]);

type MaybeLabels = Labels | null | undefined;

/** A call's name and labels as the store knows them. */
interface Resolved {
  /** With the prefix. */
  readonly full: string;
  readonly pairs: LabelPair[];
  /** Whether the call's path may be remembered: not if it was warned about. */
  readonly silent: boolean;
}

/** The untyped updates of one attachment. */
export class Updates {
  readonly #context: Context;
  readonly #store: Store;
  readonly #values: Paths<number>;
  readonly #histograms: Paths<number>;
  readonly #enums: Paths<number>;

  constructor(context: Context) {
    this.#context = context;
    this.#store = context.store;
    const most = 4 * this.#store.seriesCapacity;
    this.#values = new Paths(native.NONE, most);
    this.#histograms = new Paths(native.NONE, most);
    this.#enums = new Paths(native.NONE, most);
  }

  /** Forgets what a name led to, because its declaration may have changed. */
  forget(name: string): void {
    this.#values.forget(name);
    this.#histograms.forget(name);
    this.#enums.forget(name);
  }

  // ---- values

  add(name: string, amount: unknown, labels: MaybeLabels): void {
    const number = typeof amount === "number" ? amount : this.#amount(name, amount);
    const handle = this.#values.find(name, labels);
    if (native.add(this.#store.attachment, handle, number) !== 0) {
      this.#addSlowly(name, number, labels);
    }
  }

  #addSlowly(name: string, amount: number, labels: MaybeLabels): void {
    const { result } = this.#store.updateSeries(
      () => this.#valueHandle(name, labels),
      (handle) => native.add(this.#store.attachment, handle, amount),
    );
    this.#done(name, result);
  }

  set(name: string, value: unknown, labels: MaybeLabels, timestamp: unknown): void {
    const number = typeof value === "number" ? value : this.#setting(name, value);
    if (timestamp !== undefined) {
      this.#setAt(name, number, labels, timestampOf(timestamp));
      return;
    }
    const handle = this.#values.find(name, labels);
    if (native.set(this.#store.attachment, handle, number) !== 0) {
      this.#setAt(name, number, labels, undefined);
    }
  }

  #setAt(name: string, value: number, labels: MaybeLabels, at: number | undefined): void {
    const known = this.#values.find(name, labels);
    const lookUp = () => this.#valueHandle(name, labels);
    this.#done(name, this.#setKnown(known, lookUp, value, at));
  }

  /** Through a remembered handle, if there is one and it is still good, else a new one. */
  #setKnown(known: number, lookUp: () => number, value: number, at: number | undefined): number {
    if (known !== native.NONE) {
      const result = this.#setHandle(known, value, at);
      if (result !== failures.STALE[0] && result !== failures.INVALID[0]) return result;
    }
    return this.#store.updateSeries(lookUp, (handle) => this.#setHandle(handle, value, at)).result;
  }

  #setHandle(handle: number, value: number, at: number | undefined): number {
    const { attachment } = this.#store;
    return at === undefined
      ? native.set(attachment, handle, value)
      : native.setAt(attachment, handle, value, at);
  }

  #valueHandle(name: string, labels: MaybeLabels): number {
    const { full, pairs, silent } = this.#resolve(name, labels);
    const family = this.#context.families.find(full);
    const isState = family !== undefined && this.#spreadEnum(full, pairs, family);
    if (isState) this.#enums.forget(name);
    const handle = this.#store.seriesForUpdate(
      family?.kind ?? native.Kind.value,
      seriesKey(full, pairs),
      undefined,
      family?.maxSeries,
    );
    if (handle >= 0 && silent && !isState) this.#values.put(name, labels, handle);
    return handle;
  }

  // ---- histograms

  observe(name: string, value: unknown, labels: MaybeLabels): void {
    const number = typeof value === "number" ? value : this.#amount(`${name}_sum`, value);
    const handle = this.#histograms.find(name, labels);
    if (native.observe(this.#store.attachment, handle, number) !== 0) {
      this.#observeSlowly(name, number, labels);
    }
  }

  #observeSlowly(name: string, value: number, labels: MaybeLabels): void {
    const { full, pairs, silent } = this.#resolve(name, labels);
    const key = seriesKey(full, pairs, "le");
    const observe = () => this.#observeFirst(key, value);
    let { handle, result } = observe();
    // Another worker declared it in between: once, since a declaration never changes. Or the room
    // of the series was given away.
    for (let tries = 0; tries < 3 && again.has(result); tries++) ({ handle, result } = observe());
    if (handle >= 0 && silent) this.#histograms.put(name, labels, handle);
    this.#done(name, result);
  }

  #observeFirst(key: native.SeriesKey, value: number) {
    const { name } = key;
    const { families } = this.#context;
    const { attachment } = this.#store;
    const family = families.find(name);
    const handle = this.#store.seriesForUpdate(
      native.Kind.histogram,
      key,
      family?.buckets ?? defaultBuckets,
      family?.maxSeries,
    );
    if (handle < 0) return { handle, result: handle };
    // C sees to it that what is declared after this look-up is found; this is for what was before.
    const late = family === undefined && families.find(name) !== undefined;
    const result = late ? failures.MISMATCH[0] : native.observe(attachment, handle, value);
    return { handle, result };
  }

  // ---- enums

  enumSet(name: string, value: unknown, labels: MaybeLabels, timestamp: unknown): void {
    this.#store.requireOpen();
    const { families, prefix } = this.#context;
    const family = families.find(prefix + name);
    if (family?.enumLabel === undefined) {
      throw new StoreError("NOT_FOUND", `enum not declared for '${name}'`);
    }
    const at = timestampOf(timestamp);
    if (family.states.size === 0) return;
    const state = family.states.get(String(value ?? "")) ?? -1;
    const known = this.#enums.find(name, labels);
    const lookUp = () => this.#enumHandle(name, labels, family);
    this.#done(name, this.#setKnown(known, lookUp, state, at));
  }

  #enumHandle(name: string, labels: MaybeLabels, family: Family): number {
    const label = family.enumLabel!;
    const { full, pairs, silent } = this.#resolve(name, labels, label);
    const own = pairs.filter(([key]) => key !== label);
    this.#values.forget(name);
    this.#gatherEnum(full, own, family);
    const handle = this.#store.seriesForUpdate(
      native.Kind.enum,
      seriesKey(full, own, label),
      undefined,
      family.maxSeries,
    );
    if (handle >= 0 && silent) this.#enums.put(name, labels, handle);
    return handle;
  }

  /**
   * An enum is one series that is printed as a line for each state. Somebody updates such a line by
   * itself: then the lines become series of their own, so that the last write to each line is what
   * it shows. Says whether the pairs are such a line.
   */
  #spreadEnum(full: string, pairs: readonly LabelPair[], family: Family): boolean {
    const { enumLabel: label, states, maxSeries } = family;
    const state = pairs.find(([key]) => key === label)?.[1];
    if (label === undefined || state === undefined || !states.has(state)) return false;
    const own = pairs.filter(([key]) => key !== label);
    const whole = this.#store.existingSeries(native.Kind.enum, seriesKey(full, own, label));
    const current = whole === undefined ? undefined : this.#store.value(whole);
    if (current === undefined) return true;
    for (const [value, index] of states) {
      const key = seriesKey(full, withLabel(own, label, value));
      const lookUp = () =>
        this.#store.seriesForUpdate(native.Kind.value, key, undefined, maxSeries);
      const one = index === current.value ? 1 : 0;
      this.#done(full, this.#setKnown(native.NONE, lookUp, one, undefined));
    }
    this.#store.remove(whole!);
    return true;
  }

  /** The opposite: `enumSet` takes the lines over that were updated by themselves. */
  #gatherEnum(full: string, own: readonly LabelPair[], family: Family): void {
    for (const value of family.states.keys()) {
      const key = seriesKey(full, withLabel(own, family.enumLabel!, value));
      const line = this.#store.existingSeries(native.Kind.value, key);
      if (line !== undefined && this.#store.value(line) !== undefined) this.#store.remove(line);
    }
  }

  // ---- arguments and results

  /** Without a warning about a label that is replaced anyway. */
  #resolve(name: string, labels: MaybeLabels, replaced?: string): Resolved {
    this.#store.requireOpen();
    const { defaults, validation, prefix } = this.#context;
    const full = fullName(prefix, name, validation);
    let silent = true;
    const pairs = labelPairs(defaults, labels, validation, (label) => {
      if (label === replaced) return;
      silent = false;
      this.#store.warn(`label '${label}' has an undefined value, dropping it`);
    });
    return { full, pairs, silent };
  }

  #amount(name: string, value: unknown): number {
    const number = numberOf(value);
    if (number !== undefined) return number;
    this.#store.requireOpen();
    this.#store.warn(`adjusting '${name}' by non-numeric value, adding 0 instead`);
    return 0;
  }

  #setting(name: string, value: unknown): number {
    const number = numberOf(value);
    if (number !== undefined) return number;
    this.#store.requireOpen();
    this.#store.warn(`setting '${name}' to non-numeric value, using 0 instead`);
    return 0;
  }

  #done(name: string, result: number): void {
    if (result < 0) this.#store.updateFailed(result, name);
  }
}

function withLabel(pairs: readonly LabelPair[], name: string, value: string): LabelPair[] {
  return [...pairs, [name, value] as const].sort(([a], [b]) => compareBytes(a, b));
}
