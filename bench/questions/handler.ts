/**
 * How many requests a second does `handler()` answer with 10,000 series, plain and compressed?
 *
 * The load comes from wrk; without it, from requests of this process.
 *
 * @module
 */

import { FilledStore } from "../fill.ts";
import { type Comparison, type Entry, OURS, type Plan, type Ratio } from "../harness.ts";
import { LineProcess } from "../line_process.ts";
import { root } from "../paths.ts";
import { loadPromClient } from "../peers/prom_client.ts";

const SERIES = 10_000;
const MS = 1000;
const CONNECTIONS = 4;

export async function* question(plan: Plan): AsyncGenerator<Comparison> {
  using store = new FilledStore({ series: SERIES, shards: 4 });
  await using ours = await serve(OURS, store.path);
  await using peer = await loadPromClient() ? await serve("prom-client", "") : undefined;
  const wrk = await hasWrk();
  if (!wrk) plan.missing("wrk (apt install wrk): the load comes from Deno itself");
  const entry = (server: Server, gzip: boolean): Entry => ({
    name: server.name,
    measure: () => wrk ? loadByWrk(server.url, gzip) : loadBySelf(server.url, gzip),
  });
  for (const gzip of [false, true]) {
    yield {
      title: `handler(), 10,000 series, ${gzip ? "gzip" : "plain"}`,
      unit: "requests a second",
      rounds: Math.min(plan.rounds, 5),
      entries: [entry(ours, gzip), ...peer ? [entry(peer, gzip)] : []],
      ratios: [faster],
      note: "One server process in Deno.serve, which compresses prom-client's answers by itself.",
    };
  }
}

const faster: Ratio = {
  text: "times the requests of prom-client",
  of: [OURS, "prom-client"],
  from: (round) => round[OURS] / round["prom-client"],
};

interface Server extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
}

async function serve(name: string, store: string): Promise<Server> {
  const process = new LineProcess(name, Deno.execPath(), [
    ...["run", "--allow-all", "--no-lock", "--cached-only", "--config", `${root}/deno.json`],
    ...[`${root}/bench/scripts/server.ts`, store, String(SERIES)],
  ]);
  const url = await process.answer();
  return { name, url, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

function hasWrk(): Promise<boolean> {
  return new Deno.Command("wrk", { args: ["-v"], stdout: "null", stderr: "null" }).output()
    .then(() => true, () => false);
}

async function loadByWrk(url: string, gzip: boolean): Promise<number> {
  const { stdout } = await new Deno.Command("wrk", {
    args: [
      ...["-t", "1", "-c", String(CONNECTIONS), "-d", "1s"],
      ...gzip ? ["-H", "Accept-Encoding: gzip"] : [],
      url,
    ],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(text)?.[1];
  if (rate === undefined || /Non-2xx/.test(text)) throw new Error(`wrk says:\n${text}`);
  return Number(rate);
}

async function loadBySelf(url: string, gzip: boolean): Promise<number> {
  const headers = { "accept-encoding": gzip ? "gzip" : "identity" };
  const start = performance.now();
  let count = 0;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    while (performance.now() - start < MS) {
      await (await fetch(url, { headers })).arrayBuffer();
      count++;
    }
  }));
  return count / (performance.now() - start) * 1000;
}
