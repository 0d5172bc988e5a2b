// Many thousand generated calls, the same on Perl's modules and on ours: after every few hundred the
// expositions, the warnings and the deaths are the same.

import assert from "node:assert/strict";
import { Calls, type Taste } from "./calls.ts";
import { isEmulated } from "../emulated.ts";
import { assertSameExposition } from "./exposition.ts";
import { type Answer, missing, Ours, Peer } from "./oracle.ts";

const calls = isEmulated ? 600 : 10_000;
const perRound = 200;

/** What Perl says of a call in several notes, in the order of its work. */
function sorted(notes: Answer["warnings"]): string[] {
  return notes.map(([call, text]) => `call ${call}: ${text}`).sort();
}

async function compare(
  perlClass: string,
  seed: number,
  taste: Taste,
  objects: number,
): Promise<void> {
  await using peer = new Peer(perlClass);
  using ours = new Ours(objects);
  const generated = new Calls(seed, taste);
  await peer.begin(generated.defaultLabels);
  await ours.begin(generated.defaultLabels);
  for (let done = 0; done < calls; done += perRound) {
    const round = Array.from({ length: perRound }, () => generated.next());
    const [expected, actual] = await Promise.all([peer.replay(round), ours.replay(round)]);
    const where = `seed ${seed}, after ${done + perRound} calls`;
    assert.deepEqual(sorted(actual.warnings), sorted(expected.warnings), where);
    assert.deepEqual(sorted(actual.deaths), sorted(expected.deaths), where);
    assertSameExposition(expected.text, actual.text, where);
  }
}

function testWith(perlClass: string, seeds: number[], taste: Taste, objects = 1): void {
  const reason = missing(perlClass);
  if (reason !== "") console.log(`${perlClass} is not compared with: ${reason}`);
  const who = objects > 1 ? `, made on ${objects} objects in turn,` : "";
  for (const seed of seeds) {
    Deno.test({
      name: `${calls} calls of seed ${seed}${who} do what they do in ${perlClass}`,
      ignore: reason !== "",
      fn: () => compare(perlClass, seed, taste, objects),
    });
  }
}

testWith("Prometheus::Tiny", [1, 2, 3, 4, 5], { wide: true, oddNumbers: true, enumLines: true });
// Its known faults: it dies of wide characters, and of Inf and NaN; it does not check numbers.
testWith("Prometheus::Tiny::Shared", [11, 12], { wide: false, oddNumbers: false, enumLines: true });
// In whole numbers: every object has a shard, and a sum of parts is rounded in another order.
testWith("Prometheus::Tiny", [21, 22, 23], { wide: true, oddNumbers: false, enumLines: false }, 3);
