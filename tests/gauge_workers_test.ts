// Gauges of workers that are killed.

import assert from "node:assert/strict";
import { PrometheusTinyShared } from "../mod.ts";
import { isEmulated } from "./emulated.ts";
import { GaugeWorker, killInFlight } from "./gauge_workers.ts";
import { temporaryFolder } from "./opening.ts";

const noKill = Deno.build.os === "windows"; // has no SIGKILL
const rounds = isEmulated ? 2 : 3;

function series(prom: PrometheusTinyShared, name: string): string[] {
  return prom.format().split("\n").filter((line) => line.startsWith(name));
}

Deno.test({
  name: "a live in-flight gauge is exactly the survivors' sum in the first scrape after kills",
  ignore: noKill,
  async fn() {
    using folder = temporaryFolder();
    const filename = `${folder.path}/metrics`;
    using prom = new PrometheusTinyShared({ filename });
    const scrape = () => Number(/^in_flight (\S+)$/m.exec(prom.format())?.[1] ?? 0);
    await killInFlight(filename, rounds, scrape, (a, b, what) => assert.equal(a, b, what));
  },
});

Deno.test({
  name:
    "what a killed worker left stays in sum, min, max, mostrecent; in all until its slot is taken",
  ignore: noKill,
  async fn() {
    using folder = temporaryFolder();
    const filename = `${folder.path}/metrics`;
    using prom = new PrometheusTinyShared({ filename }); // slot 1
    const first = await GaugeWorker.start(filename); // slot 2
    const second = await GaugeWorker.start(filename); // slot 3
    const modes = ["sum", "min", "max", "mostrecent", "all"] as const;
    const everywhere = async (worker: GaugeWorker, value: number) => {
      for (const mode of modes) {
        await worker.do({ name: mode, mode, set: value });
        await worker.do({ name: `live${mode}`, mode: `live${mode}`, set: value });
      }
    };
    await everywhere(first, 3);
    await everywhere(second, 5);
    const all = () =>
      modes.flatMap((mode) => [...series(prom, mode), ...series(prom, `live${mode}`)]);
    assert.deepEqual(all(), [
      "sum 8",
      "livesum 8",
      "min 3",
      "livemin 3",
      "max 5",
      "livemax 5",
      "mostrecent 5",
      "livemostrecent 5",
      'all{worker="2"} 3',
      'all{worker="3"} 5',
      'liveall{worker="2"} 3',
      'liveall{worker="3"} 5',
    ]);
    await second.kill();
    assert.deepEqual(all(), [
      "sum 8",
      "livesum 3",
      "min 3",
      "livemin 3",
      "max 5",
      "livemax 3",
      "mostrecent 5",
      "livemostrecent 3",
      'all{worker="2"} 3',
      'all{worker="3"} 5',
      'liveall{worker="2"} 3',
    ]);
    const third = await GaugeWorker.start(filename); // slot 3 again
    await everywhere(third, 4);
    assert.deepEqual(all(), [
      "sum 12",
      "livesum 7",
      "min 3",
      "livemin 3",
      "max 5",
      "livemax 4",
      "mostrecent 4",
      "livemostrecent 4",
      'all{worker="2"} 3',
      'all{worker="3"} 4',
      'liveall{worker="2"} 3',
      'liveall{worker="3"} 4',
    ]);
    // Additions go on from the new worker's own part.
    for (const mode of ["sum", "min", "max"] as const) {
      await third.do({ name: mode, mode, inc: 2 });
    }
    assert.deepEqual(["sum", "min", "max"].flatMap((name) => series(prom, name)), [
      "sum 14",
      "min 3",
      "max 6",
    ]);
    await first.kill();
    await third.kill();
    assert.deepEqual(series(prom, "live").filter((line) => !line.startsWith("#")), []);
  },
});
