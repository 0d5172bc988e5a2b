import assert from "node:assert/strict";
import { join } from "node:path";
import { check } from "../ffi/native.ts";
import { PrometheusTinyShared } from "../mod.ts";

function folder() {
  const path = Deno.makeTempDirSync();
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

Deno.test("check() finds nothing in a store that is in use, and tells its health", () => {
  using temporary = folder();
  const filename = join(temporary.path, "store");
  using prom = new PrometheusTinyShared({ filename });
  prom.histogramObserve("seconds", 0.2, { route: "/" });
  prom.set("temperature", 21, {}, 1700000000000);
  prom.declare("state", { enum: "is", enumValues: ["on", "off"] });
  prom.enumSet("state", "on");
  for (const repair of [false, true]) {
    const { result, message } = check(filename, repair);
    assert.equal(result, 0, message);
    assert.match(message, /^worker: slot 1, epoch 1, pid \d+$/m);
    assert.match(message, /^records: 6 of 131072/m);
  }
  assert.match(prom.format(), /seconds_count\{route="\/"\} 1/);
});

Deno.test("check() finds a record that was overwritten", () => {
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
  const { result, message } = check(filename, false);
  assert(result > 0, message);
  assert.match(message, /^finding: C3: /m);
});

Deno.test("check() of what is no store is a failure that says why", () => {
  using temporary = folder();
  const filename = join(temporary.path, "text");
  Deno.writeTextFileSync(filename, "no store\n".repeat(20_000));
  const { result, message } = check(filename, false);
  assert(result < 0);
  assert.match(message, /is not a store: its first bytes are not a store's/);
  assert.match(check(join(temporary.path, "missing"), false).message, /cannot open the store/);
});
