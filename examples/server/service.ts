// The service with its metrics. Every worker runs this, and all of them write to one store, so
// whichever worker answers /metrics tells what all of them did.

import { PrometheusTinyShared } from "../../mod.ts";
import { answer } from "./routes.ts";

/** A service, ready for `Deno.serve`. */
export interface Service {
  handler(request: Request): Response | Promise<Response>;
  close(): void;
}

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Opens the service of one worker.
 *
 * @param file the store that all workers share
 * @param worker this worker's number, which its successor after a crash gets too
 */
export function createService(file: string, worker: number): Service {
  const prom = new PrometheusTinyShared({ filename: file });
  const requests = prom.counter("http_requests_total", {
    help: "Requests answered, without those for /metrics and /healthz.",
    labelNames: ["method", "route", "status"],
  });
  const duration = prom.histogram("http_request_duration_seconds", {
    help: "Time from the request's arrival until its response was ready.",
    labelNames: ["route"],
    buckets,
  });
  // "livesum" adds up only workers that are alive: what a killed one had in flight leaves by itself.
  const inFlight = prom.gauge("http_requests_in_flight", {
    help: "Requests being answered now.",
    mode: "livesum",
  });
  const own = ownMetrics(prom, String(worker));
  const metricsPage = prom.handler();

  // Everything is counted before the response leaves, so that whoever has seen a response finds it
  // in /metrics. Looking at /metrics or /healthz is not counted: it does not change what is seen.
  // Each update is whole, three are not one: a kill between them leaves their series one apart.
  async function count(request: Request): Promise<Response> {
    const startedAt = performance.now();
    inFlight.inc();
    try {
      const { route, response } = await answer(request);
      const method = methods.has(request.method) ? request.method : "other";
      requests.labels({ method, route, status: response.status }).inc();
      duration.labels({ route }).observe((performance.now() - startedAt) / 1000);
      own.requests.inc();
      return response;
    } finally {
      inFlight.dec();
    }
  }

  return {
    handler(request) {
      switch (URL.parse(request.url)?.pathname) {
        case "/metrics":
          return metricsPage(request);
        case "/healthz":
          return Response.json({ status: "ok", worker });
        default:
          return count(request);
      }
    },
    close() {
      own.close();
      prom.close();
    },
  };
}

/** Series with the worker's number as a label: few, because successors go on with the same ones. */
function ownMetrics(prom: PrometheusTinyShared, worker: string) {
  const labelNames = ["worker"];
  const requests = prom.counter("worker_requests_total", {
    help: "Requests answered by each worker.",
    labelNames,
  }).labels({ worker });
  const starts = prom.counter("worker_starts_total", {
    help: "Times each worker was started.",
    labelNames,
  }).labels({ worker });
  const heap = prom.gauge("worker_heap_bytes", {
    help: "JavaScript heap in use by each live worker.",
    labelNames,
    mode: "livesum",
  }).labels({ worker });

  starts.inc();
  const measureHeap = () => heap.set(Deno.memoryUsage().heapUsed);
  measureHeap();
  const timer = setInterval(measureHeap, 1000);
  return { requests, close: () => clearInterval(timer) };
}
