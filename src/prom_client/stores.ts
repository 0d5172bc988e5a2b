/**
 * Where metrics keep their values: in a store that processes share, or in the private one of this
 * thread.
 *
 * All registries without a file use one private store, and each metric has a family of its own
 * there, under a name that nobody else has: hundreds of registries cost one file, and share nothing.
 * When a metric is gone, the next one of the same shape takes its family over.
 *
 * @module
 */

import { StoreError } from "../errors.ts";
import type { Metric as CoreMetric } from "../metrics.ts";
import type { PrometheusTinySharedOptions } from "../options.ts";
import { PrometheusTinyShared } from "../prometheus_tiny.ts";
import { parseExposition, type RenderedFamily } from "./exposition_text.ts";
import { withoutTotal } from "./text.ts";

const decoder = new TextDecoder();

/** A typed metric of the store, whatever its type. */
export type Handle<C> = CoreMetric<string, C>;

/** Makes a typed metric with some of its labels. */
export interface Shape<C> {
  /** Two metrics whose shape has the same text can use one family, one after the other. */
  readonly text: string;
  /** A label that the store adds to the lines of one series: of buckets, quantiles or workers. */
  readonly lineLabel?: string;
  /** Makes the typed metric for series with exactly these labels. */
  make(prom: PrometheusTinyShared, name: string, labelNames: readonly string[]): Handle<C>;
}

/** For typed metrics of which no series is meant: without labels they would make one. */
export const anyLabel: readonly string[] = ["_"];

/** The name of a family without what tells it from one that was declared differently. */
export function publicName(name: string): string {
  return name.replace(/:[0-9a-f]{8}$/, "");
}

/** Eight digits for a text: FNV-1a. */
function hash(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** Reads of one moment, which one exposition answers. */
interface Reading {
  /** Nothing: all families. */
  names: Set<string> | undefined;
  readonly families: Promise<Map<string, RenderedFamily>>;
}

/** An open store. */
export class MetricStore {
  readonly prom: PrometheusTinyShared;
  /** Whether other processes may use it. */
  readonly isShared: boolean;
  readonly #readings = new Map<string, Reading>();
  readonly #unused = new Map<string, string[]>();
  readonly #gone: FinalizationRegistry<() => void>;
  readonly #left = new Set<string>();
  readonly #warn: (message: string) => void;
  #families = 0;

  constructor(options: PrometheusTinySharedOptions) {
    this.prom = new PrometheusTinyShared({ created: false, ...options });
    this.isShared = options.filename !== undefined;
    this.#warn = options.onWarning ?? console.warn;
    this.#gone = new FinalizationRegistry((release) => release());
  }

  /** The name of the family for a metric, until the metric is gone. */
  place<C>(metric: object, name: string, shape: Shape<C>): string {
    if (this.isShared) return this.#declare(name, shape);
    const own = this.#unused.get(shape.text)?.pop() ?? `${name}:${++this.#families}`;
    this.#gone.register(metric, () => this.#release(own, shape));
    return own;
  }

  /** A metric that this thread cleared out of a registry: it may come again in another shape. */
  left(name: string): void {
    this.#left.add(name);
  }

  /** Declares a shared family; beside the one that others have declared differently, if so. */
  #declare<C>(name: string, shape: Shape<C>): string {
    try {
      shape.make(this.prom, name, anyLabel);
      return name;
    } catch (error) {
      if (!(error instanceof StoreError && error.code === "MISMATCH")) throw error;
      // The same name for all workers with this declaration, so that theirs add up.
      const beside = `${name}:${hash(shape.text)}`;
      shape.make(this.prom, beside, anyLabel);
      if (!this.#left.has(name)) {
        this.#warn(
          `${error.message}. This worker's values are kept as ${beside} and not added to those; ` +
            `give all workers the same declaration, or start a new file (initFile: true)`,
        );
      }
      return beside;
    }
  }

  #release<C>(name: string, shape: Shape<C>): void {
    shape.make(this.prom, name, anyLabel).removeMatching({});
    const unused = this.#unused.get(shape.text);
    if (unused === undefined) this.#unused.set(shape.text, [name]);
    else unused.push(name);
  }

  /** What all workers' series of a family stand at. */
  async read(name: string, exemplars: boolean): Promise<RenderedFamily | undefined> {
    const families = await this.#reading(exemplars, name);
    const family = families.get(name);
    // OpenMetrics names a counter without what its samples end in.
    return family === undefined && exemplars ? families.get(withoutTotal(name)) : family;
  }

  /** All families. */
  readAll(exemplars: boolean): Promise<Map<string, RenderedFamily>> {
    return this.#reading(exemplars, undefined);
  }

  /** Whoever reads before the present piece of work ends gets the same exposition. */
  #reading(exemplars: boolean, name: string | undefined): Promise<Map<string, RenderedFamily>> {
    const accept = exemplars
      ? "application/openmetrics-text; version=1.0.0"
      : "text/plain; version=0.0.4";
    let reading = this.#readings.get(accept);
    if (reading === undefined) {
      const made: Reading = {
        names: new Set(),
        families: Promise.resolve().then(() => {
          this.#readings.delete(accept);
          return this.#render(accept, made.names);
        }),
      };
      this.#readings.set(accept, reading = made);
    }
    if (name === undefined) reading.names = undefined;
    else reading.names?.add(name);
    return reading.families;
  }

  async #render(accept: string, names: Set<string> | undefined) {
    const { body } = await this.prom.exposition({ accept, names: names && [...names] });
    return parseExposition(decoder.decode(body));
  }
}
