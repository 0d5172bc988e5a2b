// A process of small_disk_test.ts, where a file system is small or broken: does one thing, and prints what came of it.

import { PrometheusTinyShared, StoreError } from "../mod.ts";

const [task, filename] = Deno.args;

/** Series until there is no room for another one; what was stored before stays and goes on. */
function fill(): Record<string, unknown> {
  using prom = new PrometheusTinyShared({
    filename,
    cacheArgs: { cacheSize: "4m" },
    onWarning: () => {},
  });
  prom.add("kept_total", 7, { which: "first" });
  const failures = new Set<string>();
  let stored = 0;
  for (let i = 0; i < 20_000; i++) {
    try {
      prom.declare(`family_${i}`, { type: "counter", help: "x".repeat(900) });
      prom.histogramObserve(`family_${i}`, i, { label: "y".repeat(200) });
      stored++;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      failures.add(error.code);
      if (i - stored > 100) break;
    }
  }
  prom.add("kept_total", 1, { which: "first" });
  const text = prom.format();
  return {
    kept: /^kept_total\{which="first"\} (\d+)$/m.exec(text)?.[1],
    first: /^family_0_count\{.*\} (\d+)$/m.exec(text)?.[1],
    failures: [...failures],
    stored,
  };
}

/** Stores until there are no descriptors left; then one is closed, and opens again. */
function useDescriptors(): Record<string, unknown> {
  const open: PrometheusTinyShared[] = [];
  let failure = "";
  while (failure === "" && open.length < 500) {
    try {
      open.push(new PrometheusTinyShared({ filename: `${filename}-${open.length}` }));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      failure = `${error.code}: ${error.message}`;
    }
  }
  open[0].inc("still_total");
  const text = open[0].format();
  open.pop()!.close();
  new PrometheusTinyShared({ filename: `${filename}-again` }).close();
  for (const prom of open) prom.close();
  return { failure, text };
}

function useDefaults(): Record<string, unknown> {
  using prom = new PrometheusTinyShared(filename ? { filename } : {});
  for (let i = 0; i < 1000; i++) prom.inc("default_total", { i });
  return { lines: prom.format().split("\n").length - 1 };
}

try {
  const result = { fill, useDescriptors, useDefaults }[task]!();
  console.log(JSON.stringify(result));
} catch (error) {
  if (!(error instanceof StoreError)) throw error;
  console.log(JSON.stringify({ failure: `${error.code}: ${error.message}` }));
}
