import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { FastMmap, PrometheusTinyShared } from "../mod.ts";
import { checkMetrics } from "../tools/checker.ts";

function folder() {
  const path = Deno.makeTempDirSync();
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

Deno.test("checkMetrics() finds nothing in a store that is in use, and tells its health", () => {
  using temporary = folder();
  const filename = join(temporary.path, "store");
  using prom = new PrometheusTinyShared({ filename });
  prom.histogramObserve("seconds", 0.2, { route: "/" });
  prom.set("temperature", 21, {}, 1700000000000);
  prom.declare("state", { enum: "is", enumValues: ["on", "off"] });
  prom.enumSet("state", "on");
  for (const repair of [false, true]) {
    const { result, text: message } = checkMetrics(filename, repair);
    assert.equal(result, 0, message);
    assert.match(message, /^worker: slot 1, epoch 1, pid \d+$/m);
    assert.match(message, /^records: 6 of 131072/m);
  }
  assert.match(prom.format(), /seconds_count\{route="\/"\} 1/);
});

Deno.test("checkMetrics() finds a record that was overwritten", () => {
  using temporary = folder();
  const filename = join(temporary.path, "store");
  {
    using prom = new PrometheusTinyShared({ filename, cacheArgs: { cacheSize: "64k" } });
    prom.inc("requests_total", { method: "GET" });
  }
  const bytes = Deno.readFileSync(filename);
  const at = new TextDecoder("latin1").decode(bytes).indexOf("requests_total");
  using file = Deno.openSync(filename, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(new TextEncoder().encode("damaged"));
  const { result, text: message } = checkMetrics(filename, false);
  assert(result > 0, message);
  assert.match(message, /^finding: C3: /m);
});

Deno.test("checkMetrics() of what is no store is a failure that says why", () => {
  using temporary = folder();
  const filename = join(temporary.path, "text");
  Deno.writeTextFileSync(filename, "no store\n".repeat(20_000));
  const { result, text: message } = checkMetrics(filename, false);
  assert(result < 0);
  assert.match(message, /is not a store: its first bytes are not a store's/);
  assert.match(checkMetrics(join(temporary.path, "missing"), false).text, /cannot open the store/);
});

Deno.test("a repair drops what is broken, says it, and leaves the rest to living workers", () => {
  using temporary = folder();
  const filename = join(temporary.path, "store");
  using prom = new PrometheusTinyShared({ filename, cacheArgs: { cacheSize: "64k" } });
  for (const method of ["GET", "PUT", "POST"]) prom.inc("requests_total", { method });
  const at = new TextDecoder("latin1").decode(Deno.readFileSync(filename)).indexOf('="PUT"');
  using file = Deno.openSync(filename, { write: true });
  file.seekSync(at + 2, Deno.SeekMode.Start);
  file.writeSync(new TextEncoder().encode("?"));
  const { result, text } = checkMetrics(filename, true);
  assert.equal(result, 0, text);
  assert.match(
    text,
    /^was broken: C3: record 2 has a wrong hash\n(?:was .*\n)*record 2 was dropped$/m,
  );
  assert.equal(checkMetrics(filename, false).result, 0);
  for (const method of ["GET", "PUT", "POST"]) prom.inc("requests_total", { method });
  assert.equal(
    prom.format(),
    [["GET", 2], ["POST", 2], ["PUT", 1]]
      .map(([method, n]) => `requests_total{method="${method}"} ${n}\n`).join(""),
  );
});

const root = dirname(import.meta.dirname!);

/** The permissions that the task gives. */
const [, permissions] = /deno run (--allow.*) tools\/check\.ts$/.exec(
  JSON.parse(Deno.readTextFileSync(join(root, "deno.json"))).tasks.check.command,
)!;

/** `deno task check` itself, without the build before it. */
async function checkCommand(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--quiet", "--no-lock", ...permissions.split(" ")],
      "tools/check.ts",
      ...args,
    ],
    cwd: root,
    env: { NO_COLOR: "1", PROMETHEUS_TINY_SHARED_DIR: join(root, ".native") },
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** Overwrites the header of one entry of a cache, which is 24 bytes before its key. */
function breakEntry(shareFile: string, key: string): void {
  const text = new TextDecoder("latin1").decode(Deno.readFileSync(shareFile));
  const at = text.indexOf(key);
  assert.ok(at > 24);
  using file = Deno.openSync(shareFile, { write: true });
  file.seekSync(at - 24, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(24).fill(0xff));
}

Deno.test("deno task check tells a file's health, fails for what is broken, and repairs it", async () => {
  using temporary = folder();
  const filename = join(temporary.path, "both");
  using prom = new PrometheusTinyShared({ filename, cacheArgs: { cacheSize: "64k" } });
  using cache = new FastMmap({
    shareFile: filename,
    initFile: false,
    numPages: 3,
    pageSize: 4096,
    startSlots: 89,
  });
  prom.inc("requests_total");
  for (let i = 0; i < 50; i++) assert.ok(cache.set(`the key ${i} of all`, i));
  const whole = await checkCommand(filename);
  assert.equal(whole.code, 0, whole.text);
  assert.match(whole.text, /^worker: slot 1, epoch 1, pid \d+$/m);
  assert.match(whole.text, /^records: 2 of 128 \(series and families\)$/m);
  assert.match(whole.text, /^cache: 3 pages of 4096 bytes, 3 of them used$/m);
  assert.match(whole.text, /^cache entries: 50, \d+ bytes$/m);
  assert.match(whole.text, /^damage: 0$[^]*^repairs: 0$[^]*^cache damage: 0$/m);
  assert.match(whole.text, /\nok: every invariant holds\n$/);

  breakEntry(filename, "the key 25 of all");
  const broken = await checkCommand(filename);
  assert.equal(broken.code, 1, broken.text);
  assert.match(broken.text, /^finding: page \d: /m);
  const repaired = await checkCommand("--repair", filename);
  assert.equal(repaired.code, 0, repaired.text);
  assert.equal(cache.get("the key 25 of all"), undefined);
  assert.equal(cache.get("the key 24 of all"), 24);
  assert.equal((await checkCommand(filename)).code, 0);
});

Deno.test("deno task check of no store, or of no file, exits with 2 and says why", async () => {
  using temporary = folder();
  const missing = await checkCommand(join(temporary.path, "missing"));
  assert.equal(missing.code, 2);
  assert.match(missing.text, /cannot open the store/);
  const usage = await checkCommand();
  assert.equal(usage.code, 2);
  assert.match(usage.text, /^usage: deno task check/);
});
