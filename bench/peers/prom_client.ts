/**
 * npm's prom-client, if `deno task bench:peers` has fetched it.
 *
 * @module
 */

/** The version that is compared. */
export const promClientVersion = "15.1.3";

type Labels = Record<string, string | number>;

/** As much of prom-client as is measured. */
export interface PromClient {
  readonly Registry: new () => Registry;
  readonly Counter: new (options: MetricOptions) => Counter;
  readonly Gauge: new (options: MetricOptions) => Gauge;
  readonly Histogram: new (options: MetricOptions & { buckets?: number[] }) => Histogram;
  readonly AggregatorRegistry: { aggregate(registries: unknown[]): Registry };
}

/** A set of metrics. */
export interface Registry {
  metrics(): Promise<string>;
  getMetricsAsJSON(): Promise<unknown>;
}

interface MetricOptions {
  name: string;
  help: string;
  labelNames?: string[];
  registers: Registry[];
}

interface Child {
  inc(amount?: number): void;
}

interface Counter extends Child {
  inc(labels: Labels, amount?: number): void;
  inc(amount?: number): void;
  labels(labels: Labels): Child;
}

interface Gauge extends Counter {
  set(labels: Labels, value: number): void;
  labels(labels: Labels): Child & { set(value: number): void };
}

interface Histogram {
  observe(labels: Labels, value: number): void;
  labels(labels: Labels): { observe(value: number): void };
}

/** Not a literal: the benchmarks' types and start must not need it. */
const specifier: string = `npm:prom-client@${promClientVersion}`;

/** The package, or undefined where it is not installed. */
export async function loadPromClient(): Promise<PromClient | undefined> {
  try {
    const module = await import(specifier);
    return module.default ?? module;
  } catch {
    return undefined; // the command runs with --cached-only
  }
}
