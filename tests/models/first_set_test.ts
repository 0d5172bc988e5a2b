/**
 * Added-to or set: the first pts_set of a sharded series, sets and additions to a shared one,
 * and what remove, clear and kills do to them, as cells.ts writes them down.
 *
 * Modelled: under the series's lock the first set draws a generation, stores the value into shard 0,
 * the tag, and the head last. An addition to a shared series is a compare-and-swap on the cell that
 * looks at head and tag on every turn; after a remove it starts over under the lock. A set whose
 * attachment has seen the block current for this head and this generation of the store is one
 * store without lock. The lock is that of lock_test.ts in one step, taken over from the dead.
 *
 * Invariants, as history.ts judges every read:
 *   V1 what ended before a set began is overwritten by it, what begins after it counts on top
 *   V2 nothing acknowledged is lost but to a set, remove or clear that overlaps or follows it
 *   V3 a killed operation changes all or nothing, and the lock is free for the next
 */
import { series, type Work } from "./cells.ts";
import { caught, holds } from "./verify.ts";

const first: Work[][] = [["add"], ["add", "add"], ["set"]];
const read: Work[][] = [["add", "add"], ["set"], ["read"]];
const restart: Work[][] = [["set", "remove", "add"], ["add"]];
holds("sets: V1 V2: the first set beside additions", series(first, "sc"));
holds("sets: V1 V3: the first set is killed", series(first, "sc", { kills: 1 }));
holds("sets: V1 V3: read beside, killed anywhere", series(read, "sc", { kills: 2 }));
holds(
  "sets: V2: two first sets and a remove",
  series([["add"], ["set"], ["set"], ["remove"]], "sc"),
);
holds("sets: V2: fast sets and a remove", series([["set", "set"], ["remove"], ["add"]], "sc"));
holds("sets: V2: fast sets and a clear", series([["set", "set"], ["clear", "add"], ["add"]], "sc"));
holds("sets: V2: additions restart together", series(restart, "sc"));
holds("sets: V2 V3: a restart is killed", series(restart, "sc", { kills: 1 }));
holds(
  "sets: V2 V3: fast sets, restarts and removes, one killed",
  series([["set", "set"], ["remove", "add"], ["add"]], "sc", { kills: 1 }),
);
holds(
  "sets: a shared series is read beside sets, additions and a remove",
  series([["set", "add"], ["remove", "set"], ["read"]], "sc"),
);
holds(
  "sets: V2 V3: equal sets, one killed",
  series([["set", "add"], ["remove", "add"], ["set"]], "sc", { kills: 1 }, {}, true),
);
holds("sets: V1 in weak memory", series([["add", "add"], ["set"], ["read"]], "weak"));
holds("sets: V2 in weak memory: a restart", series(restart, "weak"));
holds(
  "sets: V2 in weak memory: fast sets and a remove",
  series([["set", "set"], ["remove", "add"]], "weak"),
);

const impossible = /was read, possible were/;
caught(
  "sets in a shard that a worker owns",
  series(first, "sc", {}, { shardZeroIsOwned: true }),
  impossible,
);
caught(
  "sets that publish the head first: a kill loses the series",
  series([["add"], ["set"]], "sc", { kills: 1 }, { headLast: false }),
  impossible,
);
caught(
  "sets without a generation of their own",
  series(read, "sc", {}, { draws: false }),
  impossible,
);
caught(
  "sets restarted without the lock",
  series(restart, "sc", {}, { restartLocked: false }),
  impossible,
);
caught(
  "sets restarted without a second look at the tag",
  series(restart, "sc", {}, { looksAgain: false }),
  impossible,
);
caught(
  "fast sets that do not see a remove",
  series([["set", "set"], ["remove"]], "sc", {}, { fastSeesHead: false }),
  impossible,
);
caught(
  "fast sets that do not see a clear",
  series([["set", "set"], ["clear"]], "sc", {}, { fastSeesStore: false }),
  impossible,
);
