// The same calls on client_python's multiprocess mode and on ours, several processes, some of them
// killed: the same values for every gauge mode.

import assert from "node:assert/strict";
import { type GaugeMode, PrometheusTinyShared } from "../../mod.ts";
import { isEmulated } from "../emulated.ts";
import { missingPython, python } from "../exposition_parsers.ts";
import type { GaugeStep } from "../gauge_process.ts";
import { GaugeWorker } from "../gauge_workers.ts";
import { temporaryFolder } from "../opening.ts";
import { Random } from "./calls.ts";

const missing = Deno.build.os === "windows" ? "it forks" : await missingPython();
const lanes = 4;
const seeds = isEmulated ? [1] : [1, 2];
const modes: readonly GaugeMode[] = [
  ...["sum", "min", "max", "mostrecent", "all"] as const,
  ...["livesum", "livemin", "livemax", "livemostrecent", "liveall"] as const,
];

/** client_python's side. */
class Peer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor(folder: string) {
    const script = new URL("./modes.py", import.meta.url).pathname;
    this.#child = python([script, folder]).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async ask(order: object): Promise<unknown> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(order) + "\n"));
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(await new Response(this.#child.stderr).text());
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return line === "done" ? undefined : JSON.parse(line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#lines.cancel();
    await this.#child.stderr.cancel();
    await this.#child.status;
  }
}

/** Samples as sorted text, without what tells workers apart. */
function shown(samples: [string, Record<string, string>, number][]): string[] {
  return samples.map(([name, { pid: _pid, worker: _worker, ...labels }, value]) =>
    `${name} ${JSON.stringify(Object.entries(labels).sort())} ${value}`
  ).sort();
}

function ours(prom: PrometheusTinyShared): string[] {
  const samples = prom.format().split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return shown(samples.map((line) => {
    const [, name, text = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line)!;
    const labels = [...text.matchAll(/(\w+)="(.*?)"/g)].map(([, key, value]) => [key, value]);
    return [name, Object.fromEntries(labels), Number(value)];
  }));
}

function step(random: Random): GaugeStep {
  const mode = random.pick(modes);
  const labels = random.below(2) ? { shape: random.pick(["round", "square"]) } : undefined;
  const name = `g_${mode}_${labels ? "labelled" : "plain"}`;
  const amount = random.below(200) - 100;
  // client_python has no inc() of the most recent value.
  return random.below(3) || mode.endsWith("mostrecent")
    ? { name, mode, labels, set: amount }
    : { name, mode, labels, inc: amount };
}

async function compare(seed: number): Promise<void> {
  using folder = temporaryFolder();
  Deno.mkdirSync(`${folder.path}/peer`);
  const filename = `${folder.path}/metrics`;
  using prom = new PrometheusTinyShared({ filename });
  await using peer = new Peer(`${folder.path}/peer`);
  const random = new Random(seed);
  const workers = await GaugeWorker.startAll(lanes, filename);
  for (let lane = 0; lane < lanes; lane++) await peer.ask({ start: lane });
  const living = new Set(workers.keys());
  const both = async (lane: number, step: GaugeStep) => {
    await workers[lane].do(step);
    await peer.ask({ lane, step });
  };
  // There a gauge without labels is 0 in a process from its first use on, also before it is set.
  for (const lane of living) {
    for (const mode of modes) await both(lane, { name: `g_${mode}_plain`, mode, set: lane });
  }
  const same = async (when: string) =>
    assert.deepEqual(ours(prom), shown(await peer.ask({ show: true }) as never), when);
  for (let i = 0; i < 60; i++) await both(random.pick([...living]), step(random));
  await same(`seed ${seed}, all alive`);
  for (let deaths = 0; deaths < lanes - 1; deaths++) {
    const victim = random.pick([...living]);
    living.delete(victim);
    await workers[victim].kill();
    await peer.ask({ kill: victim });
    await same(`seed ${seed}, ${deaths + 1} dead`);
    for (let i = 0; i < 20; i++) await both(random.pick([...living]), step(random));
    await same(`seed ${seed}, ${deaths + 1} dead, the others went on`);
  }
  for (const lane of living) await workers[lane].kill();
}

for (const seed of seeds) {
  Deno.test({
    name: `gauges of every mode, seed ${seed}: as in client_python's multiprocess mode` +
      (missing === "" ? "" : ` (skipped: ${missing})`),
    ignore: missing !== "",
    fn: () => compare(seed),
  });
}
