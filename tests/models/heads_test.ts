/**
 * Heads and tags of a sharded series: pts_add, pts_remove, pts_clear and pts_read_value, as
 * cells.ts writes them down.
 *
 * Modelled: workers that add to shards of their own, a remove (a generation drawn by fetch-and-add,
 * then the head exchanged by compare-and-swap, keeping its mode), a clear (fetch-and-add of the
 * store's generation), a reader that sums the current blocks and looks at both again, kills of
 * everyone, and a last reader when all is quiet.
 *
 * Invariants, as history.ts judges every read:
 *   T1 an addition counts exactly once until a remove or clear that overlaps or follows it
 *   T2 no read mixes what was before a remove or clear with what came after
 *   T3 the series exists exactly when an addition since then does
 *   T4 a killed operation changes all or nothing
 *   T5 additions after one look are additions that all began with it (ffi/direct.ts D2)
 */
import { series, type Work } from "./cells.ts";
import { caught, holds } from "./verify.ts";

const pair: Work[][] = [["add", "add"], ["add"], ["remove"], ["read"]];
const wiped: Work[][] = [["add", "add"], ["add"], ["clear"], ["read"]];
holds("heads: T1 T2 T3: remove", series(pair, "sc"));
holds("heads: T1 T2 T3: clear", series(wiped, "sc"));
holds(
  "heads: T1 T2 T3: two removes and a clear",
  series([["add"], ["remove", "remove"], ["clear", "add"]], "sc"),
);
holds("heads: T4: one is killed", series(pair, "sc", { kills: 1 }));
holds("heads: T4: one is killed beside a clear", series(wiped, "sc", { kills: 1 }));
holds("heads: a reader passes a stopped writer", series(pair, "sc", { stops: 1 }));
const weak: Work[][] = [["add", "add"], ["add", "remove"], ["read"]];
const weakWiped: Work[][] = [["add", "add"], ["add", "clear"], ["read"]];
holds("heads: T1 T2 in weak memory: remove", series(weak, "weak"));
holds("heads: T1 T2 in weak memory: clear", series(weakWiped, "weak"));

for (const ending of ["remove", "clear", "set"] as const) {
  const work: Work[][] = [["add", "add twice"], ["add"], [ending], ["read"]];
  holds(`heads: T5: two additions after one look beside a ${ending}`, series(work, "sc"));
}
holds(
  "heads: T4 T5: one is killed",
  series([["add twice"], ["remove", "add"]], "sc", { kills: 1 }),
);
holds(
  "heads: T5 in weak memory",
  series([["add", "add twice"], ["remove"], ["read"]], "weak"),
);

const impossible = /was read, possible were/;
caught(
  "heads with the tag before the cell",
  series([["add"], ["remove"], ["read"]], "sc", {}, { cellBeforeTag: false }),
  impossible,
);
caught(
  "heads where a block starts with 0: a kill leaves a series nobody added to",
  series([["add"]], "sc", { kills: 1 }, { startsWithAmount: false }),
  impossible,
);
caught(
  "heads where an addition begins after the look that it trusts",
  series([["add", "add late"], ["remove"], ["read"]], "sc"),
  impossible,
);
caught(
  "heads where a reader does not look again",
  series(pair, "sc", {}, { readsAgain: false }),
  impossible,
);
caught(
  "heads where a reader has no fence before it looks again",
  series(weak, "weak", {}, { readerFence: false }),
  impossible,
);
caught(
  "heads where cells are stored without release",
  series(weak, "weak", {}, { releaseCells: false }),
  impossible,
);
