/**
 * What the groups of default metrics are made with.
 *
 * @module
 */

import { Counter } from "./counter.ts";
import { Gauge } from "./gauge.ts";
import type { Registry } from "./registry.ts";
import type { Aggregator, LabelValues, RegistryContentType } from "./types.ts";

/** What `collectDefaultMetrics` is given. */
export interface DefaultMetricsCollectorConfiguration {
  /** Which registry prints them; the default one without. */
  register?: Registry<RegistryContentType>;
  /** Stands before every name. */
  prefix?: string;
  /** Labels of every series. */
  labels?: object;
  /** Bounds of the garbage collector's histogram, in seconds. */
  gcDurationBuckets?: readonly number[];
  /**
   * How often the event loop's delay is measured, in milliseconds.
   *
   * @default {10}
   */
  eventLoopMonitoringPrecision?: number;
}

/** A metric of a group. */
interface Plan {
  readonly name: string;
  readonly help: string;
  readonly aggregator?: Aggregator;
  /** Labels beside those of the configuration. */
  readonly labelNames?: readonly string[];
  /** Sets this metric, and any others of its group. */
  readonly collect?: () => void;
}

/** Sets a metric's value; the labels are those beside the configuration's. */
type Setter = (value: number, labels?: LabelValues<string>) => void;

/** Makes the metrics of one `collectDefaultMetrics`. */
export class DefaultGroup {
  readonly config: DefaultMetricsCollectorConfiguration;
  /** All that were made. */
  readonly metrics: (Counter | Gauge)[] = [];
  /** Labels of every series. */
  readonly labels: LabelValues<string>;

  constructor(config: DefaultMetricsCollectorConfiguration) {
    this.config = config;
    this.labels = { ...config.labels };
  }

  /** The configuration of a metric. */
  plan({ name, help, aggregator = "sum", labelNames = [], collect }: Plan) {
    const { prefix = "", register } = this.config;
    return {
      name: prefix + name,
      help,
      aggregator,
      collect,
      labelNames: [...labelNames, ...Object.keys(this.labels)],
      registers: register && [register],
    };
  }

  /** Makes a gauge. */
  gauge(plan: Plan): Setter {
    const gauge = new Gauge(this.plan(plan));
    this.metrics.push(gauge);
    return (value, labels) => gauge.set({ ...labels, ...this.labels }, value);
  }

  /** Makes a counter; the function adds to it. */
  counter(plan: Plan): Setter {
    const counter = new Counter(this.plan(plan));
    this.metrics.push(counter);
    return (value, labels) => counter.inc({ ...labels, ...this.labels }, value);
  }
}
