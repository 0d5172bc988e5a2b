/**
 * The room of series that are gone, given to other labels: room.ts writes the accesses down.
 *
 * Modelled: a worker whose handle is of labels A starts its own block, sets, or adds to the shared cell by
 * a swap of tag and value; another makes labels B, for which it claims A's record, looks at the blocks
 * again, frees it and gives it away; a remover of A; a reader that asks for the incarnation before
 * and behind what it reads; a look-up without a lock. Whose handle is stale looks its labels up again.
 * Workers are killed anywhere; whoever takes the index's lock over decides what they had claimed.
 *
 * Invariants, for A as history.ts judges every read:
 *   R1 no acknowledged update is lost but to a remove that overlaps or follows it
 *   R2 no update of A becomes part of B's value
 *   R3 neither a reader nor a look-up takes one's record for the other's
 *   R4 a killed operation changes all or nothing, and nothing stays claimed
 */
import { rooms, type Task } from "./room.ts";
import { caught, holds } from "./verify.ts";

const start: Task[][] = [["add A"], ["add B"]];
const readBeside: Task[][] = [["add A"], ["set B"], ["read"]];
const swap: Task[][] = [["set A", "add A"], ["set B"], ["remove A"]];
const claimers: Task[][] = [["add A"], ["set B"], ["set B"]];
const lookUp: Task[][] = [["set B"], ["set B"], ["look up B"]];
/* Of workers that do the same, one is killed. */
const oneKilled = { kills: 1, mortal: ["0 set B"] };

holds("room: R1 R2: a first addition beside a claim", rooms(start, "sc"));
holds("room: R1 R2: and a remove", rooms([...start, ["remove A"]], "sc"));
holds("room: R1 R2: a set, a swap, a remove and a claim", rooms(swap, "sc"));
holds(
  "room: R1 R2: another worker's swap with a stale handle",
  rooms([["set A"], ["add A"], ["set B"], ["remove A"]], "sc", {}, {}, 0),
);
holds("room: R1 R2 R3: read beside", rooms(readBeside, "sc"));
holds("room: R3: looked up beside", rooms([["add A"], ["add B"], ["look up A"]], "sc"));
holds("room: R4: one is killed", rooms([...start, ["remove A"]], "sc", { kills: 1 }));
holds("room: R1 R4: of two claimers one is killed", rooms(claimers, "sc", { kills: 1 }));
holds("room: R2 R4: a set or a swap is killed", rooms(swap, "sc", { kills: 1 }));
holds(
  "room: R3 R4: a reader passes a stopped claimer",
  rooms([["set B"], ["read"]], "sc", { stops: 1 }),
);
holds("room: R1 R2 in weak memory: a first addition", rooms(start, "weak"));
holds(
  "room: R1 R4 in weak memory: the claimer is killed",
  rooms(claimers, "weak", { kills: 1, mortal: ["1 set B"] }),
);
holds("room: R2 in weak memory: a swap", rooms([["set A"], ["set B"], ["remove A"]], "weak"));
holds("room: R3 in weak memory: look-ups", rooms(lookUp, "weak", oneKilled));
holds(
  "room: a freed record's new generation would do without a given one's",
  rooms(readBeside, "sc", {}, { drawsGiven: false }),
);
holds(
  "room: a given record's new generation would do without a freed one's",
  rooms(readBeside, "sc", {}, { drawsFreed: false }),
);

for (const beside of ["remove A", "set A"] as const) {
  const work: Task[][] = [["add A", "add A"], ["add B"], [beside]];
  holds(
    `room: R1 R2: a direct addition beside a claim and "${beside}"`,
    rooms(work, "sc", {}, { direct: true }),
  );
}
holds(
  "room: R1 R2 in weak memory: a direct addition beside a claim",
  rooms([["add A", "add A"], ["add B"]], "weak", {}, { direct: true }),
);

const impossible = /was read, possible were/;
caught(
  "room: a block started without a fence before it looks again",
  rooms(start, "weak", {}, { startFence: false }),
  impossible,
);
caught(
  "room: a claim without a fence before it looks again",
  rooms(start, "weak", {}, { claimFence: false }),
  impossible,
);
caught(
  "room: a block started without a look at the head",
  rooms(start, "sc", {}, { startLooks: false }),
  impossible,
);
caught(
  "room: a claim without a second look at the blocks",
  rooms(start, "sc", {}, { decideLooks: false }),
  impossible,
);
caught(
  "room: a tag that is not taken back: the update counts, and is made again",
  rooms(start, "sc", {}, { takesTagBack: false }),
  impossible,
);
caught(
  "room: a block that starts from 0: started twice, it shows a 0 that nobody reported",
  rooms([...start, ["read"]], "sc", {}, { startsFromZero: true }),
  impossible,
);
caught(
  "room: a claim without the series's lock: a set in the middle",
  rooms([["set A"], ["set B"]], "sc", {}, { claimLocked: false }),
  impossible,
);
caught(
  "room: a swap of the value without its tag",
  rooms(swap, "sc", {}, { swapsPairs: false }),
  /B is/,
);
caught(
  "room: no new generation",
  rooms(readBeside, "sc", {}, { drawsFreed: false, drawsGiven: false }),
  /B is/,
);
caught(
  "room: no new incarnation",
  rooms(start, "sc", {}, { raisesIncarnation: false }),
  impossible,
);
caught(
  "room: a direct addition without a look",
  rooms([["add A", "add A"], ["add B"], ["remove A"]], "sc", {}, {
    direct: true,
    directLooks: false,
  }),
  impossible,
);
caught(
  "room: a reader that does not ask again whose record it is",
  rooms(readBeside, "sc", {}, { readsAgain: false }),
  /B is/,
);
caught(
  "room: a reader that takes what is claimed for gone",
  rooms(readBeside, "sc", {}, { readsClaimed: false }),
  impossible,
);
caught(
  "room: a remove that takes what is claimed for gone",
  rooms([["add A", "remove A"], ["add B"]], "sc", {}, { removeWaits: false }),
  impossible,
);
caught(
  "room: a look-up that compares the text only before it loads the head",
  rooms([["remove A"], ["add B"], ["look up A"]], "sc", {}, { comparesAgain: false }),
  /of others/,
);
caught(
  "room: a look-up that does not ask again whose record it is",
  rooms(lookUp, "weak", {}, { readsAgain: false }),
  /of others/,
);
caught(
  "room: a text written without a fence, by another than who freed the record",
  rooms(lookUp, "weak", oneKilled, { textFence: false }),
  /of others/,
);
caught(
  "room: a repair that frees what was claimed without a look",
  rooms(claimers, "sc", { kills: 1 }, { repairLooks: false }),
  impossible,
);
caught(
  "room: a repair that decides nothing",
  rooms(start, "sc", { kills: 1 }, { repairDecides: false }),
  /stays claimed/,
);
