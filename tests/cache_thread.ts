// A thread of cache_sharing_test.ts: adds to one entry and sets others.

/// <reference lib="deno.worker" />
import { FastMmap } from "../mod.ts";

/** What it is to do. */
export interface ThreadTask {
  readonly shareFile: string;
  readonly turns: number;
}

self.onmessage = ({ data: { shareFile, turns } }: MessageEvent<ThreadTask>) => {
  using cache = new FastMmap<number>({ shareFile, unlinkOnExit: false });
  for (let turn = 0; turn < turns; turn++) {
    cache.getAndSet("count", (_key, value = 0) => [value + 1]);
    cache.set(`key ${turn % 50}`, turn);
  }
  self.postMessage("done");
};
