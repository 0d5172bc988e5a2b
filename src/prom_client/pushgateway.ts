/**
 * A client of the Pushgateway with prom-client's options, which are those of Node's `http.request`.
 *
 * @module
 */

// The modules' own objects, looked at when a request is made: tests put functions of theirs there.
import http from "node:http";
import https from "node:https";
import { gzipSync } from "node:zlib";
import { Registry } from "./registry.ts";
import type { RegistryContentType } from "./types.ts";

/** Options of a {@linkcode Pushgateway}: all that `http.request` knows, and one more. */
export interface PushgatewayOptions extends https.RequestOptions {
  /**
   * Whether a push must name its job.
   *
   * @default {true}
   */
  requireJobName?: boolean;
}

/** What a push names: the group of metrics that it replaces, adds to or deletes. */
export interface PushgatewayParameters {
  /** The job. */
  jobName?: string;
  /** More labels of the group. */
  groupings?: Readonly<Record<string, string | number>>;
}

/** What the gateway answered. */
export interface PushgatewayResult {
  /** The answer. */
  resp: http.IncomingMessage;
  /** Its body. */
  body: string;
}

/**
 * Pushes a registry's metrics to a Pushgateway.
 *
 * @example
 * ```ts
 * import { Counter, Pushgateway, Registry } from "prometheus-tiny-shared/prom-client";
 * import assert from "node:assert/strict";
 *
 * const paths: string[] = [];
 * await using server = Deno.serve({ port: 0, onListen() {} }, (request) => {
 *   paths.push(`${request.method} ${new URL(request.url).pathname}`);
 *   return new Response();
 * });
 * const registry = new Registry();
 * new Counter({ name: "jobs_total", help: "Jobs done.", registers: [registry] }).inc();
 * const gateway = new Pushgateway(`http://localhost:${server.addr.port}`, {}, registry);
 * await gateway.pushAdd({ jobName: "nightly", groupings: { zone: "north" } });
 * assert.deepEqual(paths, ["POST /metrics/job/nightly/zone/north"]);
 * ```
 */
export class Pushgateway {
  /** The gateway's URL. */
  readonly gatewayUrl: string;
  /** Whose metrics are pushed. */
  readonly registry: Registry<RegistryContentType>;
  /** Whether a push must name its job. */
  readonly requireJobName: boolean;
  /** What every request is made with. */
  readonly requestOptions: https.RequestOptions;

  /**
   * Makes a client.
   *
   * @param gatewayUrl its URL; user and password become basic authentication
   * @param options `timeout` in milliseconds, `headers` and whatever else `http.request` takes
   * @param registry whose metrics are pushed; the default one without
   */
  constructor(
    gatewayUrl: string,
    options?: PushgatewayOptions | null,
    registry?: Registry<RegistryContentType> | null,
  ) {
    const { requireJobName = true, ...requestOptions } = options ?? {};
    this.gatewayUrl = gatewayUrl;
    this.registry = registry ?? Registry.globalRegistry;
    this.requireJobName = requireJobName;
    this.requestOptions = requestOptions;
  }

  /**
   * Replaces those metrics of the group that have the same names.
   *
   * @throws {Error} if no job is named; the promise rejects if the push failed
   */
  pushAdd(params: PushgatewayParameters = {}): Promise<PushgatewayResult> {
    return this.#use("POST", params);
  }

  /**
   * Replaces all metrics of the group.
   *
   * @throws {Error} if no job is named; the promise rejects if the push failed
   */
  push(params: PushgatewayParameters = {}): Promise<PushgatewayResult> {
    return this.#use("PUT", params);
  }

  /**
   * Deletes all metrics of the group.
   *
   * @throws {Error} if no job is named; the promise rejects if that failed
   */
  delete(params: PushgatewayParameters = {}): Promise<PushgatewayResult> {
    return this.#use("DELETE", params);
  }

  #use(method: string, { jobName, groupings }: PushgatewayParameters): Promise<PushgatewayResult> {
    if (this.requireJobName && !jobName) throw new Error("Missing jobName parameter");
    const url = new URL(this.gatewayUrl);
    const options = {
      ...addressOf(url),
      path: url.pathname.replace(/\/$/, "") + "/metrics" + groupPath(jobName, groupings),
      ...this.requestOptions,
      headers: { ...this.requestOptions.headers } as Record<string, string | undefined>,
      method,
    };
    if (method === "DELETE") delete options.headers["Content-Encoding"];
    const secure = url.protocol === "https:";
    return new Promise((resolve, reject) => {
      const answered = (resp: http.IncomingMessage) => readAnswer(resp, resolve, reject);
      const request = secure ? https.request(options, answered) : http.request(options, answered);
      request.on("error", reject);
      request.on("timeout", () => request.destroy(new Error("Pushgateway request timed out")));
      if (method === "DELETE") request.end();
      else this.#send(request, options.headers["Content-Encoding"] === "gzip");
    });
  }

  async #send(request: http.ClientRequest, gzip: boolean): Promise<void> {
    try {
      const text = await this.registry.metrics();
      request.write(gzip ? gzipSync(text) : text);
      request.end();
    } catch (error) {
      request.destroy(error as Error); // which the promise rejects with
    }
  }
}

function addressOf({ protocol, hostname, port, username, password }: URL) {
  const auth = username === "" ? {} : {
    auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}`,
  };
  // An IPv6 address has brackets in a URL only.
  return { protocol, hostname: hostname.replace(/^\[|\]$/g, ""), port: port || null, ...auth };
}

function groupPath(job: string | undefined, groupings: PushgatewayParameters["groupings"]): string {
  if (!job) return "";
  return ["job", job, ...Object.entries(groupings ?? {}).flat()]
    .map((part) => `/${encodeURIComponent(part)}`).join("");
}

function readAnswer(
  resp: http.IncomingMessage,
  resolve: (result: PushgatewayResult) => void,
  reject: (error: Error) => void,
): void {
  let body = "";
  resp.setEncoding("utf8");
  resp.on("data", (part: string) => body += part);
  resp.on("end", () => {
    const { statusCode = 0 } = resp;
    if (statusCode < 400) resolve({ resp, body });
    else reject(new Error(`push failed with status ${statusCode}, ${body}`));
  });
}
