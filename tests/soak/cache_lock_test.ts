import assert from "node:assert/strict";
import { killHolders } from "../lock_killing.ts";

Deno.test({
  name:
    "withLock: 8 processes killed every 50 ms for a minute, never two holders, never a long wait",
  ignore: Deno.build.os !== "linux", // they look into /proc to see who runs
  async fn() {
    const { kills, entries, longestWaitMs, latestMs } = await killHolders(60, 50);
    console.log({ kills, entries, longestWaitMs, latestMs });
    assert.ok(kills >= 60 && entries > 500, `${kills} kills, ${entries} entries`);
    const limitMs = 100 + 8 * latestMs; // beyond what a busy machine makes everybody wait
    assert.ok(longestWaitMs < limitMs, `${longestWaitMs} ms, this process was late by ${latestMs}`);
  },
});
