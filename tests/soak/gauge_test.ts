// 100 rounds of eight workers with a live gauge, four of them killed.

import assert from "node:assert/strict";
import { PrometheusTinyShared } from "../../mod.ts";
import { killInFlight } from "../gauge_workers.ts";
import { temporaryFolder } from "../opening.ts";

Deno.test({
  name: "100 rounds of kills: the first scrape after each shows the survivors' sum exactly",
  ignore: Deno.build.os === "windows", // has no SIGKILL
  async fn() {
    using folder = temporaryFolder();
    const filename = `${folder.path}/metrics`;
    using prom = new PrometheusTinyShared({ filename });
    const scrape = () => Number(/^in_flight (\S+)$/m.exec(prom.format())?.[1] ?? 0);
    await killInFlight(filename, 100, scrape, (a, b, what) => assert.equal(a, b, what));
  },
});
