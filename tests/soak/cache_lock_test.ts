import assert from "node:assert/strict";
import { killHolders } from "../lock_killing.ts";

Deno.test({
  name:
    "withLock: 8 processes killed every 50 ms for a minute, never two holders, never a long wait",
  ignore: Deno.build.os !== "linux", // they look into /proc to see who runs
  async fn() {
    const { kills, entries, longestWaitMs } = await killHolders(60, 50);
    console.log({ kills, entries, longestWaitMs });
    assert.ok(kills >= 60 && entries > 500, `${kills} kills, ${entries} entries`);
    assert.ok(longestWaitMs < 100, `${longestWaitMs} ms`);
  },
});
