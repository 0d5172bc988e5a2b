/**
 * Counts what an HTTP handler does.
 *
 * @module
 */

import { exponentialBuckets } from "./buckets.ts";
import { countedResponse } from "./counted_body.ts";
import { checkBuckets } from "./families.ts";
import { checkLabelName, checkLabels, fullName, type Labels, labelText, shown } from "./labels.ts";
import type {
  Counter,
  CounterChild,
  GaugeChild,
  Histogram,
  HistogramChild,
  LabelsOf,
} from "./metrics.ts";
import { checkMembers, oneOf } from "./options.ts";
import { contextOf, type PrometheusTinyShared } from "./prometheus_tiny.ts";
import { methodLabel, routeFinder, type RouteOf, type Routes } from "./routes.ts";

/** Options of {@linkcode instrument}. */
export interface InstrumentOptions {
  /** Where to count. */
  store: PrometheusTinyShared;
  /**
   * What the label `route` says. Either patterns of paths (`"/users/:id"`) or `URLPattern`s, of which
   * the first that fits counts and is the label; or a function that returns the label, or nothing if
   * it knows none. A function may name up to 500 routes, further ones are unmatched: every label is a
   * series that is there for good, so it must not return what a client can choose.
   *
   * Without, there is no label `route`.
   */
  routes?: Routes;
  /**
   * The route of a request that none of `routes` fits.
   *
   * @default {"unmatched"}
   */
  unmatched?: string;
  /**
   * What the label `status` says: the class (`2xx`) or the code (`204`).
   *
   * @default {"class"}
   */
  status?: "class" | "code";
  /** Further labels, the same for every request. */
  labels?: Labels;
  /**
   * Put before the names of the metrics.
   *
   * @default {""}
   */
  prefix?: string;
  /**
   * Upper bounds of the durations' buckets, in seconds.
   *
   * @default {[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]}
   */
  durationBuckets?: readonly number[];
  /**
   * Upper bounds of the sizes' buckets, in bytes. `false`: sizes are not counted.
   *
   * @default {[100, 1000, 10000, 100000, 1000000, 10000000, 100000000]}
   */
  sizeBuckets?: readonly number[] | false;
}

/** A handler as {@linkcode instrument} returns it. */
export type InstrumentedHandler<Rest extends unknown[]> = (
  request: Request,
  ...rest: Rest
) => Promise<Response>;

const known = {
  store: ["object"],
  routes: ["object", "function"],
  unmatched: ["string"],
  status: ["string"],
  labels: ["object"],
  prefix: ["string"],
  durationBuckets: ["object"],
  sizeBuckets: ["object", "boolean"], // true is no list, and refused as one
} as const satisfies Record<keyof InstrumentOptions, readonly string[]>;

/**
 * Counts what a handler does: any function from a `Request` to a `Response`, such as those for
 * `Deno.serve` or the `fetch` of a Hono application.
 *
 * | metric | type | labels |
 * |---|---|---|
 * | `http_requests_total` | counter | method, route, status |
 * | `http_request_duration_seconds` | histogram | method, route, status |
 * | `http_requests_in_flight` | gauge | |
 * | `http_request_size_bytes` | histogram | method, route, status |
 * | `http_response_size_bytes` | histogram | method, route, status |
 *
 * A request is in flight until its response's body has been read to the end, was cancelled by a
 * client that left, or failed; then it is counted, with the status that was sent. A handler that
 * throws is counted as 500, and the error thrown on. A WebSocket is counted when it has been opened,
 * with status 101. A body that nobody reads or cancels stays in flight: servers do one of both. What a
 * worker had in flight when it was killed leaves the gauge with it.
 *
 * Methods other than HTTP's own are counted as `other`. Sizes are those of bodies without headers,
 * as the handler gave them; a request's is its `Content-Length`, and is not counted where a body
 * comes without. A response to HEAD has the size 0.
 *
 * The response is the handler's: status, headers and url stay, a body is neither kept nor delayed.
 * Responses without a body, and WebSockets', are the very same object. Trouble with the store is
 * warned about once and costs no request.
 *
 * @param handler gets all that the function is called with: the request, and what a server adds
 * @param options where to count, and how
 * @returns the function for the server
 * @throws {TypeError | RangeError} if an option is unknown or not valid
 * @throws {StoreError} `MISMATCH` if a metric was declared differently, as with other buckets; any
 * limit of the store; `CLOSED`
 *
 * @example Count by route
 * ```ts
 * import { instrument, PrometheusTinyShared } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * using prom = new PrometheusTinyShared();
 * const app = (request: Request) => new Response(`You asked for ${request.url}`);
 * const handler = instrument(app, { store: prom, routes: ["/", "/users/:id"] });
 *
 * // Deno.serve(handler)
 * await handler(new Request("http://localhost/users/7"));
 * await handler(new Request("http://localhost/wp-admin"));
 * const text = prom.format();
 * assert.match(text, /requests_total\{method="GET",route="\/users\/:id",status="2xx"\} 1\n/);
 * assert.match(text, /requests_total\{method="GET",route="unmatched",status="2xx"\} 1\n/);
 * ```
 */
export function instrument<Rest extends unknown[]>(
  handler: (request: Request, ...rest: Rest) => Response | Promise<Response>,
  options: InstrumentOptions,
): InstrumentedHandler<Rest> {
  if (typeof handler !== "function") {
    throw new TypeError(`a handler must be a function, not ${shown(handler)}`);
  }
  const meters = new Meters(options);
  return async (request, ...rest) => {
    const measured = meters.start(request);
    let response: Response;
    try {
      response = await handler(request, ...rest);
    } catch (error) {
      measured.end(500, 0);
      throw error;
    }
    return await measured.respond(response);
  };
}

/** The series of all requests with the same labels. */
interface RequestSeries {
  readonly requests: CounterChild;
  readonly duration: HistogramChild;
  readonly requestSize: HistogramChild | undefined;
  readonly responseSize: HistogramChild | undefined;
}

/** The metrics of one instrumented handler. */
class Meters {
  /** By their labels, of which there are few. */
  readonly #series = new Map<string, RequestSeries>();
  readonly #inFlight: GaugeChild;
  readonly #requests: Counter<string>;
  readonly #duration: Histogram<string>;
  readonly #sizes: { request: Histogram<string>; response: Histogram<string> } | undefined;
  readonly #common: Labels;
  readonly #routeOf: RouteOf | undefined;
  readonly #statusLabel: (status: number) => string;
  readonly #warn: (message: string) => void;
  #warned = false;

  constructor(options: InstrumentOptions) {
    checkOptions(options);
    const { store, routes, unmatched = "unmatched", labels = {}, prefix = "" } = options;
    this.#warn = (message) => contextOf(store).store.warn(message);
    this.#routeOf = routes && routeFinder(routes, unmatched, this.#warn);
    this.#statusLabel = options.status === "code"
      ? String
      : (status) => `${Math.floor(status / 100)}xx`;
    this.#common = labels;
    const labelNames = [
      ...Object.keys(labels),
      "method",
      ...(routes === undefined ? [] : ["route"]),
      "status",
    ];

    this.#inFlight = store.gauge(`${prefix}http_requests_in_flight`, {
      help: "Requests whose response has not ended.",
      mode: "livesum",
      labelNames: Object.keys(labels),
    }).labels(labels as LabelsOf<string>);
    this.#inFlight.inc(0);
    this.#requests = store.counter(`${prefix}http_requests_total`, {
      help: "Requests whose response has ended.",
      labelNames,
    });
    this.#duration = store.histogram(`${prefix}http_request_duration_seconds`, {
      help: "Seconds from a request to the end of its response.",
      unit: "seconds",
      labelNames,
      buckets: options.durationBuckets,
    });
    const { sizeBuckets: buckets = exponentialBuckets(100, 10, 7) } = options;
    if (buckets === false) return;
    const size = (what: string) =>
      store.histogram(`${prefix}http_${what}_size_bytes`, {
        help: `Bytes of the ${what}'s body.`,
        unit: "bytes",
        labelNames,
        buckets,
      });
    this.#sizes = { request: size("request"), response: size("response") };
  }

  start(request: Request): Measured {
    // At once: a server may refuse to tell once it has answered.
    const method = methodLabel(request.method);
    const route = this.#routeOf?.(request);
    const size = this.#sizes && requestSize(request);
    this.#safely(() => this.#inFlight.inc());
    return new Measured(request.method, (status, bytes, seconds) => {
      this.#safely(() => this.#inFlight.dec());
      this.#safely(() => {
        const series = this.#seriesOf(method, route, this.#statusLabel(status));
        series.requests.inc();
        series.duration.observe(seconds);
        if (size !== undefined) series.requestSize?.observe(size);
        series.responseSize?.observe(bytes);
      });
    });
  }

  #seriesOf(method: string, route: string | undefined, status: string): RequestSeries {
    const key = `${method} ${status} ${route}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const own = route === undefined ? { method, status } : { method, route, status };
    const labels = { ...this.#common, ...own } as LabelsOf<string>;
    const series = {
      requests: this.#requests.labels(labels),
      duration: this.#duration.labels(labels),
      requestSize: this.#sizes?.request.labels(labels),
      responseSize: this.#sizes?.response.labels(labels),
    };
    this.#series.set(key, series);
    return series;
  }

  /** Counting must not cost a request. */
  #safely(count: () => void): void {
    try {
      count();
    } catch (error) {
      if (this.#warned) return;
      this.#warned = true;
      this.#warn(`requests are not counted: ${(error as Error).message}; this is said once`);
    }
  }
}

/** All at once, before anything is declared. */
function checkOptions(options: InstrumentOptions): void {
  checkMembers("instrument options", options, known);
  const { store, labels = {}, prefix = "", durationBuckets = [], sizeBuckets } = options;
  const context = contextOf(store);
  const { validation } = context;
  fullName(context.prefix, `${prefix}http_requests_total`, validation);
  oneOf("status", options.status, ["class", "code"]);
  checkBuckets(durationBuckets);
  if (sizeBuckets !== undefined && sizeBuckets !== false) checkBuckets(sizeBuckets);
  checkLabels(labels);
  for (const [name, value] of Object.entries(labels)) {
    checkLabelName(name, validation);
    labelText(name, value);
    if (["method", "route", "status", "le"].includes(name)) {
      throw new TypeError(`labels must not have ${shown(name)}, which has a meaning of its own`);
    }
  }
}

/** One request, from its arrival to the end of its response. */
class Measured {
  readonly #started = performance.now();
  readonly #method: string;
  #done: ((status: number, bytes: number, seconds: number) => void) | undefined;

  constructor(method: string, done: (status: number, bytes: number, seconds: number) => void) {
    this.#method = method;
    this.#done = done;
  }

  /** The response to send; counted now if nothing of it is still to come. */
  respond(response: Response): Response | Promise<Response> {
    const status = statusOf(response);
    // Nothing of it is sent, or nothing that anybody could read: then the server refuses it.
    const isWhole = this.#method === "HEAD" || !(response instanceof Response) ||
      response.body === null || response.bodyUsed || response.body.locked;
    if (!isWhole) return countedResponse(response, (bytes) => this.end(status, bytes));
    this.end(status, 0);
    return response;
  }

  /** Counts it, the first time. */
  end(status: number, bytes: number): void {
    this.#done?.(status, bytes, (performance.now() - this.#started) / 1000);
    this.#done = undefined;
  }
}

/** What a client gets to see: a server answers with 500 where a handler gave it no response. */
function statusOf(response: Response): number {
  const status: unknown = response?.status;
  return typeof status === "number" && status >= 100 ? status : 500;
}

/** Bytes of a request's body; undefined if only its end will tell. */
function requestSize(request: Request): number | undefined {
  const length = request.headers.get("content-length");
  if (length !== null) return /^\d+$/.test(length) ? Number(length) : undefined;
  const { method } = request;
  return method === "GET" || method === "HEAD" || request.body === null ? 0 : undefined;
}
