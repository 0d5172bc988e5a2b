/**
 * How many bytes of the file does a counter with three labels take, beyond its text?
 *
 * @module
 */

import { familyName, FilledStore, labelsOf } from "../fill.ts";
import { type Comparison, OURS, type Ratio } from "../harness.ts";
import { labelPairs, seriesKey } from "../../src/labels.ts";

const SERIES = 100_000;

export async function* question(): AsyncGenerator<Comparison> {
  const text = textBytes();
  using one = new FilledStore({ series: SERIES, shards: 1 });
  using four = new FilledStore({ series: SERIES, shards: 4 });
  using empty = new FilledStore({ series: 0, shards: 4 });
  const bytes = (store: FilledStore) =>
    (store.reader.usage().allocatedBytes - empty.reader.usage().allocatedBytes) / SERIES - text;
  const atMost = (name: string, workers: number): Ratio => ({
    text: `bytes a series with ${workers} worker${workers === 1 ? "" : "s"}, beyond its text`,
    of: [name],
    from: (round) => round[name],
    atMost: 64 + 16 * workers,
  });
  yield {
    title: "file bytes a counter series with 3 labels",
    unit: "bytes",
    rounds: 1,
    entries: [
      { name: OURS, measure: () => bytes(one) },
      { name: "ours, 4 workers", measure: () => bytes(four) },
      { name: "its text", measure: () => text },
    ],
    ratios: [atMost(OURS, 1), atMost("ours, 4 workers", 4)],
    note: "What the file system has allocated, for 100,000 series.",
  };
}

function textBytes(): number {
  let length = 0;
  for (let i = 0; i < SERIES; i++) {
    length += seriesKey(familyName, labelPairs([], labelsOf(i), "legacy", () => {})).printed.length;
  }
  return length / SERIES;
}
