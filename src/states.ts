/**
 * Typed metrics whose labels are their value: what a program is, and which state something is in.
 *
 * @module
 */

import * as native from "../ffi/native.ts";
import { childClasses, type Removable, type Series } from "./children.ts";
import { type AnyLabels, common, LabelledMetric, type Options, optionsOfAll } from "./handles.ts";
import { checkLabelName, shown } from "./labels.ts";
import type { GaugeChild, Info, StateSet, StateSetChild } from "./metrics.ts";
import { checkMembers } from "./options.ts";
import type { Context } from "./updates.ts";

/** OpenMetrics has no units for what is no quantity. */
const { unit: _, ...optionsOfBoth } = optionsOfAll;

// ---- info

const infoSuffix = "_info";

/** The name of an info metric with its suffix. */
export function infoName(name: string): string {
  const hasIt = typeof name !== "string" || name === "" || name.endsWith(infoSuffix);
  return hasIt ? name : name + infoSuffix;
}

/** One set of labels. */
interface InfoSeries extends Removable {
  /** The same labels may have several objects: `1` and `"1"` are one series. */
  readonly printed: string;
  readonly gauge: GaugeChild & Removable;
}

class InfoMetric implements Info<string> {
  readonly #series: LabelledMetric<InfoSeries>;
  #current: InfoSeries | undefined;

  constructor(series: LabelledMetric<InfoSeries>) {
    this.#series = series;
  }

  get name(): string {
    return this.#series.name;
  }

  set(labels: AnyLabels): void {
    const next = this.#series.labels(labels);
    next.gauge.set(1); // first: at no moment is there none
    if (next.printed !== this.#current?.printed) this.#current?.remove();
    this.#current = next;
  }

  remove(): void {
    this.#current?.remove();
    this.#current = undefined;
  }

  removeMatching(labels: Partial<AnyLabels>): number {
    return this.#series.removeMatching(labels);
  }

  reset(): void {
    this.#series.reset();
  }
}

/** Makes an info metric. */
export function makeInfo(
  context: Context,
  name: string,
  options: Options & { live?: boolean },
): Info<string> {
  checkMembers("info options", options, { ...optionsOfBoth, live: ["boolean"] });
  const { live = false, collect, ...rest } = options;
  const { GaugeSeries } = childClasses();
  const plan = common(context, infoName(name), rest, "info");
  const info: InfoMetric = new InfoMetric(
    new LabelledMetric({
      ...plan,
      collect: collect && (() => collect(info as never)),
      declaration: { ...plan.declaration, mode: live ? "livemax" : undefined },
      kind: live ? native.Kind.live : native.Kind.value,
      absent: true,
      child: (series) => {
        const gauge = new GaugeSeries(series);
        return { printed: series.printed, gauge, remove: () => gauge.remove() };
      },
    }),
  );
  return info;
}

// ---- state set

/** What a state set and its children share. */
interface States {
  readonly name: string;
  readonly list: readonly string[];
  /** Which state a number in the store stands for. */
  readonly stored: readonly string[];
}

class StateSetSeries implements StateSetChild, Removable {
  readonly #series: Series;
  readonly #states: States;
  #handle = native.NONE;

  constructor(series: Series, states: States) {
    this.#series = series;
    this.#states = states;
  }

  set(state: string): void {
    const { name, list, stored } = this.#states;
    const index = stored.indexOf(state);
    if (index < 0) {
      throw new RangeError(
        `state set ${name} has no state ${shown(state)}; it has ${list.map(shown).join(", ")}`,
      );
    }
    if (native.set(this.#series.store.attachment, this.#handle, index) !== 0) {
      this.#handle = this.#series.update(native.set, index);
    }
  }

  value(): string | undefined {
    const value = this.#series.value();
    return value === undefined ? undefined : this.#states.stored[value.value];
  }

  remove(): void {
    this.#series.remove();
  }
}

class StateSetMetric extends LabelledMetric<StateSetSeries> implements StateSet<string, string> {
  set(first: AnyLabels | string, state?: string): void {
    if (typeof first === "object" && first !== null) this.labels(first).set(state as string);
    else this.own().set(first);
  }

  value(labels?: AnyLabels): string | undefined {
    return this.at(labels).value();
  }
}

/** Makes a state set. */
export function makeStateSet(
  context: Context,
  name: string,
  options: Options & { states: readonly string[]; label?: string },
): StateSet<string, string> {
  checkMembers("stateSet options", options, {
    ...optionsOfBoth,
    states: ["object"],
    label: ["string"],
  });
  const { states, label, ...rest } = options;
  const plan = common(context, name, rest, "stateset");
  const list = checkStates(plan.name, states);
  const inserted = label ?? plan.name;
  checkStateLabel(plan.name, inserted, context);
  // In the order of the store, which is known once they are declared.
  const stored: string[] = [];
  const metric = new StateSetMetric({
    ...plan,
    declaration: {
      ...plan.declaration,
      enum: inserted,
      enumValues: list,
    },
    kind: native.Kind.enum,
    inserted,
    absent: true,
    child: (series) => new StateSetSeries(series, { name: plan.name, list, stored }),
  });
  stored.push(...context.families.find(plan.name)!.states.keys());
  return metric;
}

function checkStates(name: string, states: unknown): string[] {
  if (!Array.isArray(states) || states.length === 0) {
    throw new TypeError(
      `states of ${name} must be an array of at least one string, not ${
        Array.isArray(states) ? "an empty one" : shown(states)
      }`,
    );
  }
  for (const [index, state] of states.entries()) {
    if (typeof state !== "string") {
      throw new TypeError(`states of ${name} must be strings, not ${shown(state)}`);
    }
    if (states.indexOf(state) < index) {
      throw new TypeError(`states of ${name} has ${shown(state)} twice`);
    }
  }
  return [...states];
}

/** A metric's name may have a colon, a label's may not. */
function checkStateLabel(name: string, label: string, { validation }: Context): void {
  try {
    checkLabelName(label, validation);
  } catch (cause) {
    if (label !== name) throw cause;
    throw new TypeError(
      `${name} cannot be the label of its states, as a state set's name is: give another one in ` +
        `the option label`,
      { cause },
    );
  }
}
