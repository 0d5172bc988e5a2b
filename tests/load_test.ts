// The example server under load and seen by a real Prometheus. These tests need wrk, promtool and
// prometheus (Debian packages wrk and prometheus) and say so when they are not installed.

import assert from "node:assert/strict";
import { isEmulated, patience } from "./emulated.ts";
import { once, Serving, total, until } from "./serving.ts";

const modes = isEmulated ? [[], ["--front", "--threads"]] : [[], ["--threads"], ["--front"]];
const workers = isEmulated ? 2 : 4;
const seconds = isEmulated ? 2 : 5;
const connections = isEmulated ? 8 : 32;
/** The fewest requests that are completed in this time. */
const fewest = isEmulated ? 20 : 1000;
const kills = isEmulated ? 2 : 12;

/** wrk's script: all routes in turn; prints what was completed. */
const script = `
local paths = { "/", "/hash?rounds=20", "/slow?ms=5", "/items/7", "/items/404", "/nowhere" }
local turn = 0
request = function()
  turn = turn + 1
  return wrk.format("GET", paths[turn % #paths + 1])
end
done = function(summary)
  local e = summary.errors
  io.write(string.format('RESULT {"completed":%d,"broken":%d}\\n',
    summary.requests, e.connect + e.read + e.write + e.timeout))
end
`;

function installed(tool: string): boolean {
  try {
    new Deno.Command(tool, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync();
    return true;
  } catch {
    return false;
  }
}

/** A test that needs installed tools, skipped with the reason in its name where they are not. */
function testWith(tools: string[], name: string, fn: () => Promise<void>): void {
  const missing = tools.filter((tool) => !installed(tool));
  const why = missing.length > 0 ? ` (skipped: ${missing.join(", ")} not installed)` : "";
  Deno.test({ name: name + why, ignore: why !== "", fn });
}

async function output(command: string, args: string[], input?: string) {
  const child = new Deno.Command(command, {
    args,
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Loads all routes for some seconds. */
async function load(url: string): Promise<{ completed: number; broken: number }> {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/routes.lua`, script);
  const timeout = `${2 * patience}s`;
  const args = ["-t", "1", "-c", `${connections}`, "-d", `${seconds}s`, "--timeout", timeout];
  const { code, text } = await output("wrk", [...args, "-s", `${folder.path}/routes.lua`, url]);
  assert.equal(code, 0, text);
  const result = /^RESULT (.*)$/m.exec(text)?.[1];
  assert.ok(result, text);
  return JSON.parse(result);
}

async function metricsPage(server: Serving): Promise<string> {
  return await (await once(`${server.url}/metrics`)).text();
}

for (const mode of modes) {
  const name = ["deno task serve", ...mode].join(" ");
  testWith(["wrk"], `${name} counts what wrk completes, up to what it cut off`, async () => {
    await using server = await Serving.start("--workers", `${workers}`, ...mode);
    const { completed, broken } = await load(server.url);
    assert.equal(broken, 0);
    assert.ok(completed > fewest, `only ${completed} requests completed`);
    await until(async () => (await server.metrics()).get("http_requests_in_flight") === 0, 30_000);
    const metrics = await server.metrics();
    const counted = total(metrics, "http_requests_total");
    const range = `${completed} completed, ${counted} counted, ${connections} connections`;
    assert.ok(counted >= completed && counted <= completed + connections, range);
    assert.equal(total(metrics, "http_request_duration_seconds_count"), counted);
    assert.equal(total(metrics, "worker_requests_total"), counted);
    assert.equal((await server.stop()).code, 0);
  });
}

testWith(["promtool"], "deno task serve: promtool has nothing to say of /metrics", async () => {
  await using server = await Serving.start("--workers", "2");
  for (const path of ["/", "/hash", "/slow", "/items/1", "/nowhere"]) await once(server.url + path);
  const page = await metricsPage(server);
  assert.match(page, /^# TYPE http_request_duration_seconds histogram$/m);
  const { code, text } = await output("promtool", ["check", "metrics"], page);
  assert.deepEqual({ code, text }, { code: 0, text: "" });
  assert.equal((await server.stop()).code, 0);
});

testWith(["promtool"], "examples/prometheus.yml is a valid configuration", async () => {
  const file = new URL("../examples/prometheus.yml", import.meta.url).pathname;
  const { code, text } = await output("promtool", ["check", "config", file]);
  assert.equal(code, 0, text);
});

/** A Prometheus that scrapes the server every second, with the example's configuration. */
class Prometheus {
  readonly #child: Deno.ChildProcess;
  readonly #url: string;

  private constructor(child: Deno.ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  static async start(folder: string, target: string): Promise<Prometheus> {
    const example = new URL("../examples/prometheus.yml", import.meta.url);
    const config = (await Deno.readTextFile(example))
      .replaceAll(/(?<=scrape_(interval|timeout): )\S+/g, "1s")
      .replace("127.0.0.1:8080", target);
    assert.ok(config.includes(target), config);
    await Deno.writeTextFile(`${folder}/prometheus.yml`, config);
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const address = `127.0.0.1:${listener.addr.port}`;
    listener.close();
    const child = new Deno.Command("prometheus", {
      args: [
        `--config.file=${folder}/prometheus.yml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=${address}`,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const prometheus = new Prometheus(child, `http://${address}`);
    await until(() => prometheus.#isReady(), 60_000, () => "Prometheus does not become ready");
    return prometheus;
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await once(`${this.#url}/-/ready`)).ok;
    } catch {
      return false;
    }
  }

  /** The samples of every series of the last minutes. */
  async samples(name: string): Promise<{ series: string; values: number[] }[]> {
    const query = encodeURIComponent(`${name}[10m]`);
    const answer = await (await once(`${this.#url}/api/v1/query?query=${query}`)).json();
    assert.equal(answer.status, "success", JSON.stringify(answer));
    return answer.data.result.map((
      { metric, values }: { metric: unknown; values: [number, string][] },
    ) => ({ series: JSON.stringify(metric), values: values.map(([, value]) => Number(value)) }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}

/** Requests without pause until the signal; a killed worker cuts some of them off. */
async function keepAsking(url: string, signal: AbortSignal): Promise<number> {
  let completed = 0;
  while (!signal.aborted) {
    try {
      if ((await once(`${url}/items/${completed % 100 + 1}`)).ok) completed++;
    } catch {
      // Cut off with its worker.
    }
  }
  return completed;
}

testWith(
  ["prometheus"],
  "Prometheus sees no counter go back while workers are killed every second",
  async () => {
    await using folder = await temporaryFolder();
    await using server = await Serving.start("--workers", `${workers}`);
    await using prometheus = await Prometheus.start(folder.path, new URL(server.url).host);
    const asking = new AbortController();
    const clients = [1, 2].map(() => keepAsking(server.url, asking.signal));
    for (let i = 0; i < kills; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await server.killWorkers(i % workers);
    }
    asking.abort();
    const completed = (await Promise.all(clients)).reduce((a, b) => a + b);
    assert.ok(completed > fewest / 10, `only ${completed} requests completed`);

    const counted = total(await server.metrics(), "http_requests_total");
    const most = completed + 2 * kills;
    assert.ok(
      counted >= completed && counted <= most,
      `${completed} completed, ${counted} counted`,
    );
    const last = async () => {
      const samples = await prometheus.samples("http_requests_total");
      return samples.reduce((sum, { values }) => sum + (values.at(-1) ?? 0), 0);
    };
    await until(async () => await last() === counted, 60_000, () => "the last scrape is missing");
    const names = "http_requests_total|worker_(requests|starts)_total";
    const seen = await prometheus.samples(
      `{__name__=~"${names}|http_request_duration_seconds_(count|sum|bucket)"}`,
    );
    assert.ok(seen.length > 10, `${seen.length} series`);
    for (const { series, values } of seen) {
      assert.ok(values.length >= 5, `${series} was scraped ${values.length} times only`);
      for (let i = 1; i < values.length; i++) {
        assert.ok(values[i] >= values[i - 1], `${series} went back: ${values}`);
      }
    }
    assert.equal((await server.stop()).code, 0);
  },
);
