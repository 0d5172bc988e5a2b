// A worker of storm.ts: updates without end, and after each one writes a byte that says which.

import { FastMmap } from "../src/fast_mmap.ts";
import { PrometheusTinyShared } from "../mod.ts";
import { Acknowledged, cacheValue, slowOperation, type StormTask } from "./storm.ts";

const { filename, shareFile, lane, written }: StormTask = JSON.parse(Deno.args[0]);
const prom = new PrometheusTinyShared({ filename });
const cache = new FastMmap<string>({ shareFile, serializer: "text" });
const counter = prom.counter("storm_total", { labelNames: ["half"] }).labels({ half: lane % 2 });
const gauge = prom.gauge("storm_level");
const durations = prom.histogram("storm_seconds", { buckets: [0.25, 1] });
let sets = written;

/** One update of each kind, by its acknowledgement's byte. */
const updates: Record<Acknowledged, (turn: number) => void> = {
  [Acknowledged.counter]: () => counter.inc(),
  [Acknowledged.gauge]: () => gauge.inc(),
  [Acknowledged.observation]: (turn) => durations.observe(turn % 2 ? 0.125 : 0.5),
  [Acknowledged.untyped]: (turn) => prom.inc("storm_untyped_total", { lane, series: turn % 40 }),
  [Acknowledged.cache]: () => {
    const { key, value } = cacheValue(lane, sets);
    if (!cache.set(key, value)) throw new Error(`${key} was not stored`);
    sets++;
  },
};

const kinds = Object.keys(updates).map(Number) as Acknowledged[];
const record = new Uint8Array(3);
let longest = 1;
for (let turn = 0;; turn++) {
  const kind = kinds[turn % kinds.length];
  const start = performance.now();
  updates[kind](turn);
  const took = performance.now() - start;
  record[0] = kind;
  let length = 1;
  if (took > longest) {
    longest = took;
    record[0] = kind | slowOperation;
    new DataView(record.buffer).setUint16(1, Math.min(0xffff, Math.ceil(took)));
    length = 3;
  }
  // One write is one update: a pipe takes so few bytes as a whole or not at all.
  if (Deno.stdout.writeSync(record.subarray(0, length)) !== length) throw new Error("half a write");
}
