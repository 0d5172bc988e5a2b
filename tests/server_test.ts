// The example server, run as its users run it. Only free ports of 127.0.0.1 are used.

import assert from "node:assert/strict";
import { Backoff } from "../examples/server/backoff.ts";
import { startProcess, startThread } from "../examples/server/launch.ts";
import type { Member } from "../examples/server/member.ts";
import { parseOptions, UsageError } from "../examples/server/options.ts";
import { Supervisor } from "../examples/server/supervisor.ts";
import { isEmulated, patience } from "./emulated.ts";
import { once, parseMetrics, Serving, total, until } from "./serving.ts";

const noSignals = Deno.build.os === "windows";

/** Ways to run; where processes take long to start, those that have a part of each other one. */
const modes = isEmulated
  ? [[], ["--front", "--threads"]]
  : [[], ["--threads"], ["--front"], ["--front", "--threads"]];
/** How often the same requests are made. */
const rounds = isEmulated ? 2 : 4;

/** Asks the given workers for the same path, each on a connection of its own. */
async function fromEach(url: string, path: string, workers: number): Promise<string[]> {
  const texts: string[] = [];
  const deadline = performance.now() + 60_000 * patience;
  while (texts.filter((text) => text !== undefined).length < workers) {
    assert.ok(performance.now() < deadline, `only ${Object.keys(texts)} of ${workers} answered`);
    using client = Deno.createHttpClient({ poolMaxIdlePerHost: 1 }); // One connection for both.
    const { worker } = await (await fetch(`${url}/healthz`, { client })).json();
    texts[worker] = await (await fetch(`${url}${path}`, { client })).text();
  }
  return texts;
}

/**
 * Makes requests and waits until all of them are seen in flight. On a machine so slow that they were
 * answered first, it makes others that take twice as long.
 *
 * @param ms how long the first ones take; at most 10 s, as the server has it
 * @returns what becomes of each: its status, or that it was cut off
 */
async function inFlight(
  server: Serving,
  count: number,
  ms: number,
): Promise<{ outcomes: Promise<string[]> }> {
  for (; ms <= 10_000; ms *= 2) {
    const request = () => once(`${server.url}/slow?ms=${ms}`);
    const outcomes = Promise.all(
      Array.from({ length: count }, () => request().then((r) => `${r.status}`, () => "cut off")),
    );
    let answered = false;
    let areSeen = false;
    outcomes.then(() => answered = true);
    await until(async () => {
      areSeen = (await server.metrics()).get("http_requests_in_flight") === count;
      return areSeen || answered;
    }, 60_000);
    if (areSeen) return { outcomes };
  }
  throw new Error(`${count} requests were never seen in flight together:\n${server.text}`);
}

function withoutHeap(text: string): string {
  return text.replace(/^worker_heap_bytes\{.*\n/gm, "");
}

function isRunning(pid: number): boolean {
  try {
    Deno.kill(pid, 0 as unknown as Deno.Signal);
    return true;
  } catch {
    return false;
  }
}

/** The server has removed its store, or could not where the task does not know its folder. */
function assertGone(store: string, text: string): void {
  if (text.includes(`the store ${store} is left behind`) && Deno.build.os !== "linux") return;
  assert.throws(() => Deno.statSync(store), Deno.errors.NotFound, text);
}

for (const mode of modes) {
  const name = ["deno task serve", ...mode].join(" ");
  Deno.test(`${name} counts every request once, and every worker tells the same`, async () => {
    await using server = await Serving.start("--workers", "2", ...mode);
    const { url } = server;
    const calls: [string, string, number, string][] = [
      ["GET", "/", 200, "/"],
      ["HEAD", "/", 200, "/"],
      ["POST", "/", 405, "/"],
      ["GET", "/hash?rounds=3&text=a", 200, "/hash"],
      ["GET", "/hash?rounds=none", 400, "/hash"],
      ["GET", "/slow?ms=1", 200, "/slow"],
      ["GET", "/items/7", 200, "/items/:id"],
      ["GET", "/items/8", 200, "/items/:id"],
      ["GET", "/items/101", 404, "/items/:id"],
      ["GET", "/no/such/thing", 404, "other"],
      ["BREW", "/coffee", 404, "other"],
    ];
    const expected = new Map<string, number>();
    for (let i = 0; i < rounds; i++) {
      for (const [method, path, status, route] of calls) {
        const response = await once(url + path, { method });
        assert.equal(response.status, status, `${method} ${path}`);
        const label = method === "BREW" ? "other" : method;
        const series = `http_requests_total{method="${label}",route="${route}",status="${status}"}`;
        expected.set(series, (expected.get(series) ?? 0) + 1);
      }
    }

    const [first, second] = await fromEach(url, "/metrics", 2);
    assert.equal(withoutHeap(first), withoutHeap(second));
    const metrics = await server.metrics();
    const counted = new Map([...metrics].filter(([s]) => s.startsWith("http_requests_total{")));
    assert.deepEqual([...counted].sort(), [...expected].sort());
    const sum = rounds * calls.length;
    assert.equal(total(metrics, "http_requests_total"), sum);
    assert.equal(total(metrics, "http_request_duration_seconds_count"), sum);
    assert.equal(total(metrics, "worker_requests_total"), sum);
    assert.equal(
      metrics.get('http_request_duration_seconds_bucket{le="+Inf",route="/hash"}'),
      2 * rounds,
    );
    assert.equal(metrics.get("http_requests_in_flight"), 0);
    for (const worker of [0, 1]) {
      assert.equal(metrics.get(`worker_starts_total{worker="${worker}"}`), 1);
      assert.ok(metrics.get(`worker_heap_bytes{worker="${worker}"}`)! > 100_000);
    }

    assert.equal((await once(`${url}/metrics`, { method: "POST" })).status, 405);
    assert.equal((await once(`${url}/metrics`, { method: "HEAD" })).status, 200);
    const { code, text } = await server.stop();
    assert.equal(code, 0, text);
  });
}

Deno.test({
  name: "deno task serve starts a killed worker again, and no counter goes back",
  ignore: noSignals,
  async fn() {
    await using server = await Serving.start("--workers", "2");
    for (let i = 0; i < 40; i++) await once(`${server.url}/items/${i + 1}`);
    const before = await server.metrics();
    assert.equal(total(before, "http_requests_total"), 40);
    for (const worker of [0, 1, 0]) await server.killWorkers(worker);
    const after = await server.metrics();
    for (const [series, value] of before) {
      if (series.startsWith("worker_heap_bytes")) continue;
      assert.ok(after.get(series)! >= value, `${series}: ${value}, then ${after.get(series)}`);
    }
    assert.equal(total(after, "http_requests_total"), 40);
    assert.equal(after.get('worker_starts_total{worker="0"}'), 3);
    assert.equal(after.get('worker_starts_total{worker="1"}'), 2);
    for (let i = 0; i < 10; i++) await once(`${server.url}/`);
    assert.equal(total(await server.metrics(), "http_requests_total"), 50);
    assert.equal((await server.stop()).code, 0);
  },
});

Deno.test({
  name: "deno task serve forgets what a killed worker had in flight",
  ignore: noSignals,
  async fn() {
    await using server = await Serving.start("--workers", "2");
    const { outcomes } = await inFlight(server, 3, 10_000);
    await server.killWorkers(0, 1);
    assert.deepEqual(await outcomes, ["cut off", "cut off", "cut off"]);
    const metrics = await server.metrics();
    assert.equal(metrics.get("http_requests_in_flight"), 0);
    assert.equal(total(metrics, "http_requests_total"), 0);
    assert.equal((await server.stop()).code, 0);
  },
});

for (const mode of modes.slice(0, 3)) {
  const name = ["deno task serve", ...mode].join(" ");
  Deno.test({
    name: `${name} finishes the requests in flight on a signal and removes its store`,
    ignore: noSignals,
    async fn() {
      await using server = await Serving.start("--workers", "2", ...mode);
      const store = server.store;
      assert.ok(Deno.statSync(store).isFile);
      const { outcomes } = await inFlight(server, 4, 1_000);
      server.signal("SIGINT"); // As Ctrl-C, which the terminal sends and `deno task` passes on.
      const { code, text } = await server.stop();
      assert.deepEqual(await outcomes, ["200", "200", "200", "200"], text);
      assert.equal(code, 0, text);
      assert.match(text, /SIG(INT|TERM): stopping after the requests in flight\nstopped\n$/);
      assertGone(store, text);
    },
  });
}

Deno.test({
  name: "deno task serve does not wait for requests in flight when asked again",
  ignore: noSignals,
  async fn() {
    await using server = await Serving.start("--workers", "2");
    const store = server.store;
    const { outcomes } = await inFlight(server, 1, 10_000);
    server.signal("SIGTERM");
    await server.printed(/^SIGTERM: stopping/m);
    await new Promise((resolve) => setTimeout(resolve, isEmulated ? 3_000 : 800));
    const { code, text } = await server.stop();
    assert.equal(code, 0);
    assert.deepEqual(await outcomes, ["cut off"]);
    assertGone(store, text);
  },
});

Deno.test({
  name: "deno task serve leaves no worker behind when its supervisor is killed",
  ignore: noSignals,
  async fn() {
    await using server = await Serving.start("--workers", "2");
    const pids = server.pids;
    assert.deepEqual(pids.map(isRunning), [true, true]);
    server.signal("SIGKILL");
    await until(() => !pids.some(isRunning), 60_000);
  },
});

Deno.test({
  name: "deno task serve --file continues the store and keeps it",
  ignore: noSignals,
  async fn() {
    const folder = await Deno.makeTempDir();
    const file = `${folder}/metrics`;
    for (const sum of [3, 6]) {
      await using server = await Serving.start("--workers", "1", "--file", file);
      assert.equal(server.store, file);
      for (let i = 0; i < 3; i++) await once(`${server.url}/`);
      assert.equal(total(await server.metrics(), "http_requests_total"), sum);
      assert.equal((await server.stop()).code, 0);
      assert.ok(Deno.statSync(file).isFile);
    }
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test("deno task serve says why it cannot start", async (t) => {
  await t.step("a port that is taken", async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const port = String(listener.addr.port);
    for (const mode of [[], ["--front"]]) {
      const { code, text } = await Serving.run("--port", port, "--workers", "1", ...mode);
      assert.equal(code, 1);
      assert.match(text, /^error: cannot listen on 127.0.0.1:\d+: the port is taken .*--port N/);
    }
  });
  await t.step("a port that another server shares", async () => {
    await using server = await Serving.start("--workers", "1");
    const { code, text } = await Serving.run("--port", new URL(server.url).port);
    assert.equal(code, 1);
    assert.match(text, /the port is taken/);
  });
  await t.step("a file that is no store", async () => {
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, "something else\n".repeat(1000));
    const { code, text } = await Serving.run("--port", "0", "--file", file);
    assert.equal(code, 1);
    assert.match(text, /^error: /);
    assert.ok(text.includes(file), text);
    assert.equal(await Deno.readTextFile(file), "something else\n".repeat(1000));
    await Deno.remove(file);
  });
  await t.step("an unknown option", async () => {
    const { code, text } = await Serving.run("--wrokers", "3");
    assert.equal(code, 2);
    assert.match(text, /^error: Unknown option '--wrokers'\nsee deno task serve --help\n$/);
  });
});

Deno.test("deno task serve --help shows every option", async () => {
  const { code, text } = await Serving.run("--help");
  assert.equal(code, 0);
  for (const option of ["workers", "port", "hostname", "file", "threads", "front", "help"]) {
    assert.match(text, new RegExp(`^  --${option} `, "m"));
  }
});

Deno.test("parseOptions() needs no argument", () => {
  assert.deepEqual(parseOptions([]), {
    workers: navigator.hardwareConcurrency,
    port: 8080,
    hostname: "127.0.0.1",
    file: undefined,
    threads: false,
    front: false,
  });
});

Deno.test("parseOptions() reads every option", () => {
  const args = ["--workers=3", "--port", "0", "--hostname", "::1", "--file", "f", "--threads"];
  assert.deepEqual(parseOptions([...args, "--front"]), {
    workers: 3,
    port: 0,
    hostname: "::1",
    file: "f",
    threads: true,
    front: true,
  });
  assert.equal(parseOptions(["-h"]), "help");
});

Deno.test("parseOptions() refuses what it does not understand", () => {
  const refused: [string[], RegExp][] = [
    [["--workers", "0"], /--workers takes a whole number from 1 to 256, not '0'/],
    [["--workers", "1e2"], /not '1e2'/],
    [["--workers="], /not ''/],
    [["--port", "65536"], /--port takes a whole number from 0 to 65535, not '65536'/],
    [["--port"], /argument missing/],
    [["--hostname="], /--hostname must not be empty/],
    [["--file="], /--file must not be empty/],
    [["--threads=yes"], /does not take an argument/],
    [["8080"], /Unexpected argument '8080'/],
  ];
  for (const [args, message] of refused) {
    assert.throws(() => parseOptions(args), (error) => {
      return error instanceof UsageError && message.test(error.message);
    }, args.join(" "));
  }
});

Deno.test("Backoff.next() is 0 at first and doubles while workers die young", () => {
  const backoff = new Backoff();
  const waits = Array.from({ length: 9 }, () => backoff.next(10));
  assert.deepEqual(waits, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  assert.equal(backoff.next(60_000), 0);
  assert.equal(backoff.next(10), 100);
  assert.equal(new Backoff().next(-Infinity), 0);
});

for (const start of [startThread, startProcess]) {
  Deno.test(`${start.name}() says on which port a worker answers and why it ended`, async () => {
    const folder = await Deno.makeTempDir();
    const config = {
      worker: 0,
      file: `${folder}/metrics`,
      hostname: "127.0.0.1",
      port: 0,
      reusePort: false,
      graceMs: 5_000,
    };
    const killed = start(config);
    const response = await once(`http://127.0.0.1:${await killed.ready}/healthz`);
    assert.deepEqual(await response.json(), { status: "ok", worker: 0 });
    killed.kill();
    assert.match(await killed.ended, /^(terminated|killed by SIGKILL)$/);

    const stopped = start({ ...config, worker: 1 });
    const page = await once(`http://127.0.0.1:${await stopped.ready}/metrics`);
    const metrics = parseMetrics(await page.text());
    assert.equal(metrics.get('worker_starts_total{worker="0"}'), 1);
    assert.equal(metrics.get('worker_starts_total{worker="1"}'), 1);
    assert.equal(metrics.get('worker_heap_bytes{worker="0"}'), undefined);
    stopped.stop();
    assert.match(await stopped.ended, /^(stopped|exit code 0)$/);

    const failing = start({ ...config, file: folder });
    assert.match(await failing.ended, /^(error: .*StoreError|exit code 1$)/);
    await Deno.remove(folder, { recursive: true });
  });
}

/** A worker that does what the test says. */
function fakeMember(name: string) {
  const ready = Promise.withResolvers<number>();
  const ended = Promise.withResolvers<string>();
  const calls: string[] = [];
  const member: Member = {
    name,
    ready: ready.promise,
    ended: ended.promise,
    stop: () => void calls.push("stop"),
    kill() {
      calls.push("kill");
      ended.resolve("killed");
    },
  };
  return { member, calls, ready: () => ready.resolve(1), end: () => ended.resolve("ended") };
}

function fakeSupervisor(workers: number) {
  const started: ReturnType<typeof fakeMember>[] = [];
  const log: string[] = [];
  const supervisor = new Supervisor({
    workers,
    start(worker) {
      const fake = fakeMember(`fake ${worker}.${started.length}`);
      started.push(fake);
      return fake.member;
    },
    log: (message) => log.push(message),
  });
  return { supervisor, started, log };
}

Deno.test("Supervisor.start() fails when a worker cannot start, and ends the others", async () => {
  const { supervisor, started } = fakeSupervisor(3);
  const starting = supervisor.start();
  started[0].ready();
  started[1].end();
  await assert.rejects(starting, /worker 1 \(fake 1.1\) could not start: ended/);
  assert.deepEqual(started[0].calls, ["kill"]);
  assert.deepEqual(started[2].calls, ["kill"]);
  assert.equal(started.length, 3);
});

Deno.test("Supervisor starts a worker again under its number, but not while it stops", async () => {
  const { supervisor, started, log } = fakeSupervisor(2);
  const starting = supervisor.start();
  started.forEach((fake) => fake.ready());
  await starting;
  started[1].end();
  await until(() => started.length === 3, 30_000);
  assert.equal(started[2].member.name, "fake 1.2");
  assert.deepEqual(log, ["worker 1 (fake 1.1) ended: ended", "worker 1 started again as fake 1.2"]);
  const stopping = supervisor.stop(60_000);
  assert.deepEqual([started[0].calls, started[2].calls], [["stop"], ["stop"]]);
  started[0].end();
  started[2].end();
  assert.equal(await stopping, 0);
  assert.equal(started.length, 3);
  assert.deepEqual(supervisor.members, []);
});

Deno.test("Supervisor.stop() kills a worker that does not end in time", async () => {
  const { supervisor, started } = fakeSupervisor(2);
  const starting = supervisor.start();
  started.forEach((fake) => fake.ready());
  await starting;
  const stopping = supervisor.stop(50);
  started[0].end();
  assert.equal(await stopping, 1);
  assert.deepEqual(started[1].calls, ["stop", "kill"]);
});
