// One store in many processes and threads at once.

import assert from "node:assert/strict";
import { isEmulated, patience } from "./emulated.ts";
import { PrometheusTinyShared } from "../mod.ts";
import { temporaryFolder } from "./opening.ts";
import type { ProcessTask } from "./sharing_process.ts";
import type { Task } from "./sharing_thread.ts";

const isWindows = Deno.build.os === "windows";

/** sharing_process.ts as a child. */
class Process {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;

  constructor(task: ProcessTask) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-all",
        "--quiet",
        import.meta.resolve("./sharing_process.ts"),
        JSON.stringify(task),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async answer(): Promise<unknown> {
    const { value, done } = await this.#output.read();
    assert.ok(!done, "a process ended before its answer");
    return JSON.parse(value);
  }

  async goOn(): Promise<void> {
    await this.#input.write(new Uint8Array([10]));
  }

  /** Lets it end by itself, or kills it. */
  async end(signal?: Deno.Signal): Promise<void> {
    if (signal !== undefined) this.#child.kill(signal);
    await this.#input.close().catch(() => {});
    await this.#output.cancel();
    await this.#child.status;
  }
}

/** Starts processes and lets them begin their tasks at the same moment. */
async function together(
  tasks: ProcessTask[],
): Promise<{ processes: Process[]; answers: unknown[] }> {
  const processes = tasks.map((task) => new Process(task));
  for (const process of processes) assert.equal(await process.answer(), "ready");
  await Promise.all(processes.map((process) => process.goOn()));
  const answers = await Promise.all(processes.map((process) => process.answer()));
  return { processes, answers };
}

async function runThread(task: Task): Promise<Worker> {
  const worker = new Worker(import.meta.resolve("./sharing_thread.ts"), { type: "module" });
  await new Promise((resolve, reject) => {
    worker.onmessage = resolve;
    worker.onerror = reject;
    worker.postMessage(task);
  });
  return worker;
}

function values(prom: PrometheusTinyShared): Map<string, number> {
  const lines = prom.format().split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const end = line.lastIndexOf(" ");
    return [line.slice(0, end), Number(line.slice(end + 1))];
  }));
}

/** Does something again until it does not throw, for things that the system does in its own time. */
async function eventually<T>(what: () => T | Promise<T>): Promise<T> {
  for (const end = performance.now() + 10_000 * patience;;) {
    try {
      return await what();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

const adders = isEmulated ? 3 : 8;
const count = isEmulated ? 1_200 : 12_000; // a multiple of 2, 3 and 200

Deno.test(`${adders} processes with 4 threads each lose no addition, to the same series or to others`, async () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/metrics`;
  using prom = new PrometheusTinyShared({ filename });
  prom.set("level", 0);
  const tasks = Array.from(
    { length: adders },
    (_, who) => ({ do: "add", filename, who: `${who}`, threads: 4, count }) as const,
  );
  const { processes } = await together(tasks);
  for (const process of processes) await process.end();
  const workers = adders * 4;
  const expected = new Map<string, number>([
    ...Array.from(
      { length: 3 },
      (_, i) =>
        [
          `durations_bucket{le="${["1", "2", "+Inf"][i]}"}`,
          workers * count * [2, 3, 3][i] / 3,
        ] as const,
    ),
    ["durations_count", workers * count],
    ["durations_sum", workers * count],
    ["level", workers * count],
    ...Array.from(
      { length: 200 },
      (_, i) => [`many_total{number="${i}"}`, workers * count / 200] as const,
    ),
    ["same_total", workers * count],
    ...Array.from(
      { length: workers },
      (_, i) => [`typed_total{who="${Math.floor(i / 4)}.${i % 4}"}`, count] as const,
    ),
  ]);
  assert.deepEqual(
    Object.fromEntries([...values(prom)].sort()),
    Object.fromEntries([...expected].sort()),
  );
});

const openers = isEmulated ? 4 : 32;

Deno.test(`${openers} processes that open one new file at the same moment have one store`, async () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/metrics`;
  const tasks = Array.from({ length: openers }, () => ({ do: "open", filename }) as const);
  const { processes, answers } = await together(tasks);
  using prom = new PrometheusTinyShared({ filename });
  assert.deepEqual(new Set(answers), new Set([Deno.statSync(filename).ino]));
  assert.equal(prom.format(), `opened_total ${openers}\n`);
  const files = [...Deno.readDirSync(folder.path)].map((entry) => entry.name);
  assert.deepEqual(files, ["metrics"]);
  for (const process of processes) await process.end();
  assert.equal(prom.format(), `opened_total ${openers}\n`);
});

/** How many threads come one after the other in each of eight lanes, how often each attaches, and what it does then. */
const threadsOfLane = isEmulated ? 1 : 5;
const lives = 125 / threadsOfLane;
const updates = isEmulated ? 20 : 200;

/** The file's allocated bytes, and the fastest of some scrapes. */
function cost(filename: string): { bytes: number; milliseconds: number } {
  using prom = new PrometheusTinyShared({ filename });
  let milliseconds = Infinity;
  for (let i = 0; i < 200; i++) {
    const start = performance.now();
    prom.format();
    milliseconds = Math.min(milliseconds, performance.now() - start);
  }
  return { bytes: (Deno.statSync(filename).blocks ?? 0) * 512, milliseconds };
}

Deno.test({
  name: "1,000 workers, at most 8 at a time, cost as much room and time as 8",
  ignore: isWindows, // which says nothing about allocated blocks
  async fn() {
    using folder = temporaryFolder();
    const lanes = Array.from({ length: 8 }, (_, lane) => `${lane}`);
    const open = (name: string) => {
      const filename = `${folder.path}/${name}`;
      new PrometheusTinyShared({ filename, maxWorkers: 8 }).close();
      return filename;
    };
    const few = open("few");
    const workers = await Promise.all(
      lanes.map((who) => runThread({ filename: few, who, count: updates, lives: 1, then: "stay" })),
    );
    for (const worker of workers) worker.terminate();
    // Threads with many attachments each, of which the last is left to the thread's end.
    const many = open("many");
    await Promise.all(lanes.map(async (who) => {
      for (let i = 0; i < threadsOfLane; i++) {
        const worker = await runThread({ filename: many, who, count: updates, lives, then: "end" });
        worker.terminate();
      }
    }));
    const [little, much] = [await eventually(() => cost(few)), await eventually(() => cost(many))];
    assert.ok(much.bytes <= little.bytes, `${much.bytes} bytes, not ${little.bytes}`);
    // An emulator says nothing about time.
    assert.ok(
      isEmulated || much.milliseconds < 2 * little.milliseconds + 0.02,
      `${much.milliseconds} ms after 1000 workers, ${little.milliseconds} ms after 8`,
    );
    using prom = new PrometheusTinyShared({ filename: many });
    assert.equal(values(prom).get("same_total"), 1000 * updates);
    assert.equal(values(prom).get("durations_count"), 1000 * updates);
  },
});

Deno.test("a terminated Worker frees its slot, and its values stay", async () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/metrics`;
  using prom = new PrometheusTinyShared({ filename, maxWorkers: 2 });
  const times = isEmulated ? 3 : 12;
  for (let i = 0; i < times; i++) {
    await eventually(() => new PrometheusTinyShared({ filename }).close());
    const worker = await runThread({ filename, who: "same", count: 40, lives: 1, then: "stay" });
    assert.throws(() => new PrometheusTinyShared({ filename }), /worker slot/);
    worker.terminate();
  }
  assert.equal(values(prom).get('typed_total{who="same"}'), times * 40);
  assert.equal(values(prom).get("same_total"), times * 40);
});

Deno.test("a killed process keeps its counts, and its part of a live gauge leaves", async () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/metrics`;
  using prom = new PrometheusTinyShared({ filename });
  const inFlight = prom.gauge("in_flight", { mode: "livesum" });
  inFlight.inc(2);
  const tasks = [7, 11].map((count) => ({ do: "live", filename, count }) as const);
  const { processes: [one, other] } = await together(tasks);
  assert.equal(inFlight.value(), 2 + 7 + 11);
  await one.end("SIGKILL");
  await eventually(() => assert.equal(inFlight.value(), 2 + 11));
  await other.end("SIGKILL");
  await eventually(() => assert.equal(inFlight.value(), 2));
  assert.deepEqual(Object.fromEntries(values(prom)), { in_flight: 2, survives_total: 18 });
});
