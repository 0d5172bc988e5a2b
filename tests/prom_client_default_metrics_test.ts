import assert from "node:assert/strict";
import { join } from "node:path";
import { collectDefaultMetrics, Registry } from "../prom_client.ts";
import { open, temporaryFolder } from "./opening.ts";

/** The value of a sample without labels. */
function value(text: string, name: string): number {
  return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1] ?? NaN);
}

Deno.test("the default metrics tell about this process", async () => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const text = await registry.metrics();
  assert.ok(value(text, "process_resident_memory_bytes") > 1e6);
  assert.ok(value(text, "nodejs_heap_size_used_bytes") > 1e5);
  assert.ok(Math.abs(value(text, "process_start_time_seconds") - Date.now() / 1000) < 3600);
  assert.match(text, /^nodejs_version_info\{version="v\d+\.\d+\.\d+",major="\d+",/m);
  assert.match(text, /^nodejs_heap_space_size_used_bytes\{space="old"\} \d+$/m);
  registry.clear();
});

Deno.test("the processor time grows by what was used", async () => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const before = value(await registry.metrics(), "process_cpu_seconds_total");
  for (const until = performance.now() + 30; performance.now() < until;);
  const after = value(await registry.metrics(), "process_cpu_seconds_total");
  assert.ok(after - before > 0.01, `${before} and then ${after}`);
  registry.clear();
});

Deno.test("the default metrics come again after clear(), and not twice", () => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  assert.throws(() => collectDefaultMetrics({ register: registry }), {
    message: "A metric with the name process_cpu_user_seconds_total has already been registered.",
  });
  const count = registry.getMetricsAsArray().length;
  registry.clear();
  collectDefaultMetrics({ register: registry });
  assert.equal(registry.getMetricsAsArray().length, count);
  registry.clear();
});

Deno.test("the default metrics need no permission but the library's, and let the process end", async () => {
  using folder = temporaryFolder();
  const module = join(folder.path, "main.ts");
  await Deno.writeTextFile(
    module,
    `import { collectDefaultMetrics, register } from ${
      JSON.stringify(import.meta.resolve("../prom_client.ts"))
    };
     collectDefaultMetrics();
     console.log((await register.metrics()).match(/^process_resident_memory_bytes \\d{6,}$/m) !== null);`,
  );
  const library = Deno.env.get("PROMETHEUS_TINY_SHARED_DIR")!;
  const flags = ["--no-prompt", "--allow-ffi", "--allow-env=PROMETHEUS_TINY_SHARED_DIR"]
    .concat(`--allow-read=${library}`, `--allow-write=${library}`);
  const env = { PROMETHEUS_TINY_SHARED_DIR: library };
  assert.equal(await open({ flags, env, module }), "true");
});
