/**
 * A client of Prometheus's Pushgateway: for jobs that end before anybody could scrape them.
 *
 * @module
 */

import { checkLabelName, labelText, type LabelValue, shown } from "./labels.ts";
import { checkMembers } from "./options.ts";
import { contextOf, type PrometheusTinyShared } from "./prometheus_tiny.ts";

/** What is pushed: text in the exposition format, and what that is, if not text format 0.0.4. */
export type PushBody =
  | string
  | Uint8Array<ArrayBuffer>
  | { readonly body: string | Uint8Array<ArrayBuffer>; readonly contentType: string };

/** Options of {@linkcode Pushgateway}. */
export interface PushgatewayOptions {
  /** What to push: all metrics of this store, in text format 0.0.4. */
  store?: PrometheusTinyShared;
  /** What to push, made for each push. Instead of `store`. */
  body?: () => PushBody | Promise<PushBody>;
  /** Further headers of every request. An `Authorization` here goes before that of the URL. */
  headers?: HeadersInit;
  /**
   * How long a request may take, in milliseconds, its answer included.
   *
   * @default {10000}
   */
  timeoutMs?: number;
  /**
   * Send bodies compressed.
   *
   * @default {false}
   */
  gzip?: boolean;
}

/** Which group of metrics a request is about. */
export interface PushGroup {
  /** The label `job`. Not empty. */
  job: string;
  /** The group's other labels: any text, also an empty one, or with slashes. None by default. */
  groupingKey?: Readonly<Record<string, LabelValue>>;
  /** Ends the request early; it then throws the signal's reason. */
  signal?: AbortSignal;
}

/**
 * A Pushgateway did not do what was asked.
 *
 * `code` is `STATUS` if it answered so, `TIMEOUT` if it did not in time, `NETWORK` if it could not be
 * asked.
 */
export class PushgatewayError extends Error {
  /** Which failure it is. */
  readonly code: "STATUS" | "TIMEOUT" | "NETWORK";
  /** The answer's status; undefined without an answer. */
  readonly status: number | undefined;
  /** The answer's text, which says why; undefined without an answer. */
  readonly body: string | undefined;

  /** Makes the error. {@linkcode Pushgateway} does that; a program has no need to. */
  constructor(
    code: "STATUS" | "TIMEOUT" | "NETWORK",
    message: string,
    options: ErrorOptions & { status?: number; body?: string } = {},
  ) {
    super(message, options);
    this.name = "PushgatewayError";
    this.code = code;
    this.status = options.status;
    this.body = options.body;
  }
}

const known = {
  store: ["object"],
  body: ["function"],
  headers: ["object"],
  timeoutMs: ["number"],
  gzip: ["boolean"],
} as const satisfies Record<keyof PushgatewayOptions, readonly string[]>;

const knownOfGroup = {
  job: ["string"],
  groupingKey: ["object"],
  signal: ["object"],
} as const satisfies Record<keyof PushGroup, readonly string[]>;

const textFormat = "text/plain; version=0.0.4; charset=utf-8";
const MOST_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Pushes metrics to a Pushgateway, which keeps them for Prometheus to scrape.
 *
 * Every request is about one group: a job, and the labels of its grouping key. A gateway refuses
 * metrics with timestamps.
 *
 * @example Push at the end of a job
 * ```ts
 * import { PrometheusTinyShared, Pushgateway } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * // A stand-in for a real one.
 * await using server = Deno.serve({ port: 0, onListen() {} }, async (request) => {
 *   assert.equal(request.method, "PUT");
 *   assert.equal(new URL(request.url).pathname, "/metrics/job/backup/disk/a");
 *   assert.equal(await request.text(), "files_total 12\n");
 *   return new Response(null, { status: 202 });
 * });
 * const url = `http://localhost:${server.addr.port}`;
 *
 * using prom = new PrometheusTinyShared();
 * prom.add("files_total", 12);
 * const gateway = new Pushgateway(url, { store: prom });
 * await gateway.push({ job: "backup", groupingKey: { disk: "a" } });
 * ```
 */
export class Pushgateway {
  readonly #url: URL;
  readonly #headers: Headers;
  readonly #timeoutMs: number;
  readonly #gzip: boolean;
  readonly #body: (() => PushBody | Promise<PushBody>) | undefined;

  /**
   * Says where the gateway is; asks nothing of it yet.
   *
   * @param url of the gateway, with its path if it has one (`--web.route-prefix`); a user name and
   * password in it become basic authentication
   * @param options what to push, and how
   * @throws {TypeError | RangeError} if the URL or an option is not valid
   */
  constructor(url: string | URL, options: PushgatewayOptions = {}) {
    checkMembers("Pushgateway options", options, known);
    const { store, body, headers, timeoutMs = 10_000, gzip = false } = options;
    if (store !== undefined && body !== undefined) {
      throw new TypeError("Pushgateway options must not have both store and body: give one");
    }
    if (!(timeoutMs >= 1 && timeoutMs <= MOST_TIMEOUT_MS)) {
      throw new RangeError(`timeoutMs must be from 1 to ${MOST_TIMEOUT_MS}, not ${timeoutMs}`);
    }
    this.#url = gatewayUrl(url);
    this.#headers = new Headers(headers);
    const { username, password } = this.#url;
    if ((username !== "" || password !== "") && !this.#headers.has("authorization")) {
      this.#headers.set("authorization", basicAuthentication(username, password));
    }
    this.#url.username = this.#url.password = "";
    this.#timeoutMs = timeoutMs;
    this.#gzip = gzip;
    this.#body = store === undefined ? body : bodyOf(store);
  }

  /**
   * Replaces all metrics of the group (PUT).
   *
   * @param group which group
   * @throws {TypeError} if the group is not valid, or nothing was given to push
   * @throws {PushgatewayError} if the gateway refused, or could not be asked in time
   */
  async push(group: PushGroup): Promise<void> {
    await this.#request("push", "PUT", group);
  }

  /**
   * Replaces those metrics of the group that have the same names (POST).
   *
   * @param group which group
   * @throws {TypeError} if the group is not valid, or nothing was given to push
   * @throws {PushgatewayError} if the gateway refused, or could not be asked in time
   */
  async pushAdd(group: PushGroup): Promise<void> {
    await this.#request("pushAdd", "POST", group);
  }

  /**
   * Deletes all metrics of the group (DELETE). A group that does not exist is fine.
   *
   * @param group which group
   * @throws {TypeError} if the group is not valid
   * @throws {PushgatewayError} if the gateway refused, or could not be asked in time
   */
  async delete(group: PushGroup): Promise<void> {
    await this.#request("delete", "DELETE", group);
  }

  async #request(name: string, method: "PUT" | "POST" | "DELETE", group: PushGroup) {
    checkMembers("a group", group, knownOfGroup);
    const { signal } = group;
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new TypeError(`a group's signal must be an AbortSignal, not ${shown(signal)}`);
    }
    signal?.throwIfAborted();
    const url = groupUrl(this.#url, group);
    const headers = new Headers(this.#headers);
    const body = method === "DELETE" ? undefined : await this.#makeBody(name, headers);

    const timeout = AbortSignal.timeout(this.#timeoutMs);
    let response, text;
    try {
      response = await fetch(url, {
        method,
        headers,
        body,
        // As a POST that is sent elsewhere would come to be a GET, and succeed with nothing done.
        redirect: "manual",
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      });
      text = (await response.text()).trim();
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      throw this.#noAnswer(name, url, timeout.aborted, cause);
    }
    if (response.ok) return;
    const { status } = response;
    const target = response.headers.get("location");
    const why = text !== "" || target === null ? text : `it is at ${target}`;
    throw new PushgatewayError("STATUS", `${name} failed with status ${status}, ${why}`, {
      status,
      body: text,
    });
  }

  #noAnswer(name: string, url: URL, timedOut: boolean, cause: unknown): PushgatewayError {
    if (timedOut) {
      return new PushgatewayError(
        "TIMEOUT",
        `Pushgateway request timed out: ${name} to ${url} took more than ${this.#timeoutMs} ms`,
        { cause },
      );
    }
    let why = cause;
    while (why instanceof Error && why.cause instanceof Error) why = why.cause;
    if (why instanceof Error) why = why.message;
    return new PushgatewayError("NETWORK", `${name} to ${url} failed: ${why}`, { cause });
  }

  async #makeBody(name: string, headers: Headers): Promise<BodyInit> {
    if (this.#body === undefined) {
      throw new TypeError(
        `${name} has nothing to push: give the Pushgateway the option store or body`,
      );
    }
    const made = await this.#body();
    const { body, contentType } = typeof made === "string" || made instanceof Uint8Array
      ? { body: made, contentType: textFormat }
      : made ?? {};
    if (typeof body !== "string" && !(body instanceof Uint8Array)) {
      throw new TypeError(`what is pushed must be a string or bytes, not ${shown(body)}`);
    }
    if (!headers.has("content-type")) headers.set("content-type", contentType);
    if (!this.#gzip) return body;
    headers.set("content-encoding", "gzip");
    // As bytes and not as a stream: then the gateway is told their length.
    return await new Response(
      new Blob([body]).stream().pipeThrough(new CompressionStream("gzip")),
    ).bytes();
  }
}

function bodyOf(store: PrometheusTinyShared): () => Promise<PushBody> {
  contextOf(store); // it is one
  return () => store.exposition();
}

function gatewayUrl(url: string | URL): URL {
  let parsed;
  try {
    parsed = new URL(url);
  } catch {
    throw new TypeError(`the URL of a Pushgateway must be one, not ${shown(url)}`);
  }
  if (parsed.protocol === "http:" || parsed.protocol === "https:") return parsed;
  throw new TypeError(
    `the URL of a Pushgateway must begin with http:// or https://, not ${parsed.protocol}`,
  );
}

/** @param username and @param password as they stand in a URL: with escapes */
function basicAuthentication(username: string, password: string): string {
  return `Basic ${
    new TextEncoder().encode(`${unescaped(username)}:${unescaped(password)}`).toBase64()
  }`;
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a percent sign that stands for itself
  }
}

function groupUrl(base: URL, { job, groupingKey = {} }: PushGroup): URL {
  if (job === undefined || job === "") {
    throw new TypeError("a group must have a job that is not empty");
  }
  let path = base.pathname.replace(/\/+$/, "") + "/metrics" + segments("job", job);
  for (const [name, value] of Object.entries(groupingKey)) {
    checkLabelName(name, "legacy");
    if (name === "job") throw new TypeError(`groupingKey must not have "job": give it as job`);
    path += segments(name, labelText(name, value));
  }
  const url = new URL(base);
  url.pathname = path;
  return url;
}

/**
 * A label as part of a path. What would not arrive as it is goes in base64: nothing, what divides
 * paths, and the dots that a URL takes for folders.
 */
function segments(name: string, value: string): string {
  if (value !== "" && !/\/|^\.\.?$/.test(value)) {
    return `/${name}/${encodeURIComponent(value.toWellFormed())}`;
  }
  const bytes = new TextEncoder().encode(value);
  const text = bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  return `/${name}@base64/${text === "" ? "=" : text}`;
}
