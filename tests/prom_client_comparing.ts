/**
 * Runs the same calls on `./prom-client` and on npm's prom-client.
 *
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
// deno-lint-ignore no-import-prefix -- for tests only: the module itself has no dependencies
import * as theirs from "npm:prom-client@15.1.3";
import * as ours from "../prom_client.ts";

/** Either of the two; what is compared is typed by ours. */
export type Client = typeof ours;

/** Arguments that the types would not let through. */
// deno-lint-ignore no-explicit-any
export type Any = any;

/** Calls, and what they came to: values, texts, errors. */
export type Calls = (client: Client) => unknown;

const clients = [ours, theirs as unknown as Client];

async function outcome(calls: Calls, client: Client): Promise<unknown> {
  try {
    return await calls(client);
  } finally {
    client.register.clear();
    client.register.setContentType(client.Registry.PROMETHEUS_CONTENT_TYPE);
  }
}

/** A test that both give the same. */
export function same(name: string, calls: Calls): void {
  Deno.test(`prom-client and ours: ${name}`, async () => {
    const [our, their] = [await outcome(calls, clients[0]), await outcome(calls, clients[1])];
    assert.notEqual(their, undefined, "the calls must come to something");
    assert.deepEqual(our, their);
  });
}

/** A test of a difference that is meant: what ours gives, and that theirs still does not. */
export function differs(name: string, calls: Calls, expected: { ours: unknown; theirs: unknown }) {
  Deno.test(`prom-client's fault, not ours: ${name}`, async () => {
    assert.deepEqual(await outcome(calls, clients[0]), expected.ours);
    assert.deepEqual(await outcome(calls, clients[1]), expected.theirs);
  });
}

/** What a call gives, or its error as text. */
export function attempt(call: () => unknown): unknown {
  try {
    const result = call();
    return result instanceof Promise ? result.catch(errorText) : result;
  } catch (error) {
    return errorText(error);
  }
}

function errorText(error: unknown): string {
  const { name, message } = error as Error;
  return `${name}: ${message}`;
}

/** Replaces every clock that either of them reads, until disposed. */
export function fakeClocks(startMs: number) {
  const now = Date.now;
  const performanceNow = performance.now;
  const { hrtime } = process;
  const clock = {
    ms: startMs,
    [Symbol.dispose]() {
      Date.now = now;
      performance.now = performanceNow;
      process.hrtime = hrtime;
    },
  };
  Date.now = () => clock.ms;
  performance.now = () => clock.ms - startMs;
  process.hrtime = Object.assign(([seconds, nanoseconds]: [number, number] = [0, 0]) => {
    const passed = (clock.ms - startMs) * 1e6 - (seconds * 1e9 + nanoseconds);
    return [Math.floor(passed / 1e9), passed % 1e9] as [number, number];
  }, { bigint: hrtime.bigint });
  return clock;
}
