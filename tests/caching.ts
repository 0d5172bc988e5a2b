// What the tests of the cache share.

import { FastMmap } from "../src/fast_mmap.ts";
import type { FastMmapOptions, Key } from "../src/cache_options.ts";

/** A clock that stands until it is set. */
export class Clock {
  second = 1_700_000_000;
  readonly now = () => this.second;
}

/** A cache of texts with a clock of its own, that is gone with its file when disposed. */
export function textCache(
  options: FastMmapOptions<string> = {},
): FastMmap<string> & { clock: Clock } {
  const clock = new Clock();
  const cache = new FastMmap<string>({ serializer: "text", now: clock.now, ...options });
  return Object.assign(cache, { clock });
}

/** Records what callbacks are called with. */
export class Calls {
  readonly list: unknown[][] = [];
  readonly writeCb = (_context: unknown, key: Key, value: unknown, expireOn: number) => {
    this.list.push(["write", key, value, expireOn]);
  };
  readonly deleteCb = (_context: unknown, key: Key) => {
    this.list.push(["delete", key]);
  };
  /** What was recorded since the last time. */
  take(): unknown[][] {
    return this.list.splice(0);
  }
}

/** A path in a temporary folder that is removed when disposed. */
export function temporaryFile(): Disposable & { path: string } {
  const folder = Deno.makeTempDirSync({ prefix: "prometheus-tiny-shared-cache-" });
  return {
    path: `${folder}/cache`,
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}

/** splitmix32: the same numbers everywhere for a seed. */
export function generator(state: number): (below: number) => number {
  return (below) => {
    state = (state + 0x9e3779b9) | 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % below;
  };
}
