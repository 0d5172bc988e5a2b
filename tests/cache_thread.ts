// A thread of cache_sharing_test.ts: adds to one entry and sets others, or takes a lock and keeps it.

/// <reference lib="deno.worker" />
import { FastMmap } from "../mod.ts";

/** What it is to do. */
export interface ThreadTask {
  readonly shareFile: string;
  readonly turns: number;
  /** The name of a lock to keep until the thread is terminated. */
  readonly keeps?: string;
}

async function keepLock(shareFile: string, name: string): Promise<void> {
  const cache = new FastMmap({ shareFile, unlinkOnExit: false });
  await cache.withLock(name, () => {
    self.postMessage("locked");
    return new Promise(() => {});
  });
}

self.onmessage = ({ data: { shareFile, turns, keeps } }: MessageEvent<ThreadTask>) => {
  if (keeps !== undefined) return void keepLock(shareFile, keeps);
  using cache = new FastMmap<number>({ shareFile, unlinkOnExit: false });
  for (let turn = 0; turn < turns; turn++) {
    cache.getAndSet("count", (_key, value = 0) => [value + 1]);
    cache.set(`key ${turn % 50}`, turn);
  }
  self.postMessage("done");
};
