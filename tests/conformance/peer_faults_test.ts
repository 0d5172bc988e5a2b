// Known faults of the peers, which ours must not have, and where ours differs on purpose.

import assert from "node:assert/strict";
import { PrometheusTinyShared, type PrometheusTinySharedOptions } from "../../mod.ts";
import { isEmulated } from "../emulated.ts";

/** How many scrapes have to see another count than before. */
const scrapes = isEmulated ? 100 : 500;

function open(options: PrometheusTinySharedOptions = {}) {
  return new PrometheusTinyShared({ bucketOrder: "lexical", ...options });
}

function text(...lines: string[]): string {
  return lines.map((line) => line + "\n").join("");
}

Deno.test("no peers' fault: a name with - is not split", () => {
  using prom = open({ nameValidation: "utf8" });
  prom.inc("a-b");
  prom.inc("a-b", { c: "d-e" });
  assert.equal(prom.format(), text('{"a-b"} 1', '{"a-b",c="d-e"} 1'));
});

Deno.test("no peers' fault: Inf and NaN do not break later expositions", () => {
  using prom = open();
  prom.set("a", Infinity);
  prom.set("b", -Infinity);
  prom.set("c", NaN);
  prom.set("d", "inf");
  for (let i = 0; i < 2; i++) {
    assert.equal(prom.format(), text("a +Inf", "b -Inf", "c NaN", "d +Inf"));
  }
});

Deno.test("no peers' fault: wide characters in label values", () => {
  using prom = open();
  prom.inc("n", { a: "日本", b: "😀", c: "\ue000" });
  assert.equal(prom.format(), 'n{a="日本",b="😀",c="\ue000"} 1\n');
});

Deno.test("no peers' fault: HELP escapes backslash and newline", () => {
  using prom = open();
  prom.declare("n", { help: 'a\\b\nc "d"' });
  assert.equal(prom.format(), '# HELP n a\\\\b\\nc "d"\n');
});

Deno.test("no peers' fault: a label whose name ends in le does not disturb the order of buckets", () => {
  using prom = open();
  prom.declare("h", { buckets: [1, 10, 2].sort((a, b) => a - b) });
  prom.histogramObserve("h", 1, { role: "+Inf" });
  prom.histogramObserve("h", 1, { handle: "5", role: "x" });
  const lines = prom.format().split("\n").filter((line) => line.startsWith("h_bucket"));
  assert.deepEqual(lines, [
    ...["1", "10", "2", "+Inf"].map((le) => `h_bucket{handle="5",le="${le}",role="x"} 1`),
    ...["1", "10", "2", "+Inf"].map((le) => `h_bucket{le="${le}",role="+Inf"} 1`),
  ]);
});

Deno.test("no peers' fault: a scrape never shows half an observation", async () => {
  const folder = Deno.makeTempDirSync();
  const filename = `${folder}/metrics`;
  using prom = open({ filename });
  prom.declare("h", { buckets: [1, 2, 3] });
  const worker = new Worker(import.meta.resolve("./observer.ts"), { type: "module" });
  await new Promise((begins) => {
    worker.onmessage = begins;
    worker.postMessage(filename);
  });
  const counts = new Set<number>();
  for (let last = 0; counts.size < scrapes;) {
    const metrics = new Map(
      prom.format().trim().split("\n").map((line) => line.split(" ") as [string, string]),
    );
    const count = Number(metrics.get("h_count") ?? 0);
    // The observer's values take turns between 0.5 and 2.5: any half of one breaks a sum.
    assert.equal(Number(metrics.get("h_sum") ?? 0), expectedSum(count), `after ${count}`);
    assert.equal(Number(metrics.get('h_bucket{le="1"}') ?? 0), Math.ceil(count / 2));
    assert.equal(Number(metrics.get('h_bucket{le="3"}') ?? 0), count);
    assert.equal(Number(metrics.get('h_bucket{le="+Inf"}') ?? 0), count);
    assert.ok(count >= last);
    counts.add(last = count);
  }
  worker.terminate();
  Deno.removeSync(folder, { recursive: true });
});

function expectedSum(count: number): number {
  return Math.ceil(count / 2) * 0.5 + Math.floor(count / 2) * 2.5;
}

Deno.test("no peers' fault: adding keeps every bit that a double has", () => {
  using prom = open();
  prom.set("a", 2 ** 51 + 0.5);
  prom.add("a", 1);
  prom.set("b", 4503599627370497.5); // has no double of its own: what is stored is ...498
  prom.add("b", 1);
  assert.equal(prom.format(), text("a 2251799813685249.5", "b 4503599627370499"));
});

Deno.test("ours: le ascends numerically by default", () => {
  using prom = new PrometheusTinyShared();
  prom.declare("h", { buckets: [-1, 0.5, 2, 10], type: "histogram" });
  prom.histogramObserve("h", 1, { a: "x", z: "y" });
  prom.histogramObserve("h", 1, { a: "x", z: "z" });
  prom.inc("h_a");
  const lines = (z: string) =>
    ["-1", "0.5", "2", "10", "+Inf"].map((le, i) =>
      `h_bucket{a="x",le="${le}",z="${z}"} ${i > 1 ? 1 : 0}`
    );
  assert.equal(
    prom.format(),
    text(
      "# TYPE h histogram",
      ...lines("y"),
      ...lines("z"),
      ...["count", "sum"].flatMap((part) => ["y", "z"].map((z) => `h_${part}{a="x",z="${z}"} 1`)),
      "h_a 1",
    ),
  );
});

Deno.test("ours: numbers print as the shortest text that reads back", () => {
  using prom = open();
  const numbers = [0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, 123456789012345680, 1e21];
  numbers.forEach((number, i) => prom.set(`n${i}`, number));
  const printed = prom.format().trim().split("\n").map((line) => line.split(" ")[1]);
  assert.deepEqual(printed.map(Number), numbers);
  assert.ok(
    printed.every((number, i) => number.length <= String(numbers[i]).length + 2),
    `${printed}`,
  );
});

Deno.test("ours: invalid names are a TypeError by default, any name is quoted with utf8", () => {
  using prom = open();
  for (const name of ["", "1a", "a-b", "a b", "é", "a\n"]) {
    assert.throws(() => prom.inc(name), TypeError, name);
    assert.throws(() => prom.inc("n", { [name]: "x" }), TypeError, name);
  }
  assert.throws(() => prom.inc("n", { "a:b": "x" }), TypeError);
  assert.equal(prom.format(), "");
  using utf8 = open({ nameValidation: "utf8" });
  utf8.inc("é", { "a b": "x" });
  assert.equal(utf8.format(), '{"é","a b"="x"} 1\n');
});
