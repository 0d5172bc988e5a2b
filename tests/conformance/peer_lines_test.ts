// Each line of what is known about Prometheus::Tiny 0.011 and Prometheus::Tiny::Shared 0.027 has a test
// of its own, as has each of their faults that ours must not have, and each difference on purpose.

import assert from "node:assert/strict";
import { PrometheusTinyShared, type PrometheusTinySharedOptions, StoreError } from "../../mod.ts";

/** An object in the peers' order of buckets, whose warnings are kept. */
function peerLike(options: PrometheusTinySharedOptions = {}) {
  const warnings: string[] = [];
  const prom = new PrometheusTinyShared({
    bucketOrder: "lexical",
    onWarning: (text) => warnings.push(text),
    ...options,
  });
  return Object.assign(prom, { warnings });
}

function text(...lines: string[]): string {
  return lines.map((line) => line + "\n").join("");
}

function storeError(code: string, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof StoreError, `${error}`);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

function temporaryFile(): { filename: string } & Disposable {
  const folder = Deno.makeTempDirSync();
  const dispose = () => Deno.removeSync(folder, { recursive: true });
  return { filename: `${folder}/metrics`, [Symbol.dispose]: dispose };
}

Deno.test("PEERS 1: default labels are copied, overridden by a call's, removed by an undefined one", () => {
  const defaultLabels: Record<string, string> = { host: "a", zone: "b" };
  using prom = peerLike({ defaultLabels });
  defaultLabels.host = "changed";
  prom.inc("n");
  prom.inc("n", { host: "c" });
  prom.inc("n", { zone: undefined, x: "1" });
  assert.equal(
    prom.format(),
    text(
      'n{host="a",x="1"} 1',
      'n{host="a",zone="b"} 1',
      'n{host="c",zone="b"} 1',
    ),
  );
});

Deno.test("PEERS 2: labels sort bytewise (B < _ < a) and are joined by a comma", () => {
  using prom = peerLike();
  prom.inc("n", { a: "3", _: "2", B: "1", aa: "4" });
  assert.equal(prom.format(), 'n{B="1",_="2",a="3",aa="4"} 1\n');
});

Deno.test("PEERS 3: label values escape backslash, quote and newline; tab and CR stay; empty prints", () => {
  using prom = peerLike();
  prom.inc("n", { a: 'b\\q"n\n', b: "t\tr\r", c: "" });
  assert.equal(prom.format(), 'n{a="b\\\\q\\"n\\n",b="t\tr\r",c=""} 1\n');
});

Deno.test("PEERS 4: an undefined label value warns and is dropped", () => {
  using prom = peerLike();
  for (let i = 0; i < 2; i++) prom.inc("n", { a: "1", X: undefined });
  assert.equal(prom.format(), 'n{a="1"} 2\n');
  const warning = "label 'X' has an undefined value, dropping it";
  assert.deepEqual(prom.warnings, [warning, warning]);
});

Deno.test("PEERS 5: set replaces value and timestamp; no timestamp erases the old one", () => {
  using prom = peerLike();
  const seen = [];
  prom.set("n", 5, {}, 1000);
  seen.push(prom.format());
  prom.set("n", 6, {}, 2000);
  seen.push(prom.format());
  prom.set("n", 7);
  seen.push(prom.format());
  assert.deepEqual(seen, ["n 5 1000\n", "n 6 2000\n", "n 7\n"]);
});

Deno.test("PEERS 6: set of a non-number warns and stores 0", () => {
  using prom = peerLike();
  prom.set("N", 5);
  prom.set("N", "abc");
  assert.equal(prom.format(), "N 0\n");
  assert.deepEqual(prom.warnings, ["setting 'N' to non-numeric value, using 0 instead"]);
});

Deno.test("PEERS 7: add starts at 0, keeps a timestamp; a non-number warns and creates the series", () => {
  using prom = peerLike();
  prom.add("a", 2);
  prom.set("b", 1, {}, 1000);
  prom.add("b", 2);
  prom.add("N", "abc");
  assert.equal(prom.format(), text("N 0", "a 2", "b 3 1000"));
  assert.deepEqual(prom.warnings, ["adjusting 'N' by non-numeric value, adding 0 instead"]);
});

Deno.test("PEERS 8: inc and dec add 1 and -1; set, add, inc, dec return nothing", () => {
  using prom = peerLike();
  const results = [prom.inc("a"), prom.inc("a"), prom.dec("b"), prom.set("c", 1), prom.add("c", 1)];
  assert.deepEqual(results, Array(5).fill(undefined));
  assert.equal(prom.format(), text("a 2", "b -1", "c 2"));
});

Deno.test("PEERS 9: numeric strings count as numbers", () => {
  using prom = peerLike();
  prom.set("a", "1e3");
  prom.add("a", " 2.5");
  prom.histogramObserve("h", "20");
  assert.match(prom.format(), /^a 1002\.5\n(.*\n)*h_sum 20\n$/);
  assert.deepEqual(prom.warnings, []);
});

Deno.test("PEERS 10: clear drops every value and keeps every declaration", () => {
  using prom = peerLike();
  prom.declare("a", { help: "A.", type: "gauge" });
  prom.declare("h", { buckets: [1] });
  prom.declare("e", { enum: "s", enumValues: ["x"] });
  const fill = () => {
    prom.set("a", 1, {}, 5);
    prom.inc("b", { c: "d" });
    prom.histogramObserve("h", 2);
    prom.enumSet("e", "x");
    return prom.format();
  };
  const before = fill();
  prom.clear();
  assert.equal(prom.format(), text("# HELP a A.", "# TYPE a gauge"));
  assert.equal(fill(), before);
});

const meta = {
  help: "H.",
  type: "histogram",
  buckets: [1, 2],
  enum: "s",
  enumValues: ["x", "y"],
} as const;

Deno.test("PEERS 11: the same declaration again is fine, buckets compare as numbers", () => {
  using prom = peerLike();
  prom.declare("N", meta);
  prom.declare("N", { ...meta, buckets: ["1.0", "2"] });
  prom.declare("empty");
  prom.declare("empty", {});
  assert.equal(prom.format(), text("# HELP N H.", "# TYPE N histogram"));
});

Deno.test("PEERS 11: any of the five added, missing or changed dies, the old one stays", () => {
  using prom = peerLike();
  prom.declare("N", meta);
  const dies = storeError("MISMATCH", /^redeclaration of 'N' with mismatched meta/);
  const changed = [
    { help: "I." },
    { type: "gauge" as const },
    { buckets: [1] },
    { buckets: [1, 3] },
    { enum: "t" },
    { enumValues: ["y", "x"] },
    { enumValues: ["x"] },
  ];
  for (const change of changed) {
    assert.throws(() => prom.declare("N", { ...meta, ...change }), dies);
  }
  for (const key of Object.keys(meta)) {
    assert.throws(() => prom.declare("N", { ...meta, [key]: undefined }), dies);
    const { [key as keyof typeof meta]: one } = meta;
    prom.declare(`only_without_${key}`);
    assert.throws(
      () => prom.declare(`only_without_${key}`, { [key]: one }),
      storeError("MISMATCH", /^redeclaration of 'only_without_/),
    );
  }
  prom.declare("N", meta);
  prom.enumSet("N", "y");
  assert.equal(
    prom.format(),
    text("# HELP N H.", "# TYPE N histogram", 'N{s="x"} 0', 'N{s="y"} 1'),
  );
});

Deno.test("PEERS 11: other keys are ignored", () => {
  using prom = peerLike();
  prom.declare("N", { help: "H.", unit: "bytes" });
  prom.declare("N", { help: "H.", unit: "seconds" });
  assert.equal(prom.format(), "# HELP N H.\n");
});

Deno.test("PEERS 12: HELP then TYPE even without samples, nothing for what was not declared", () => {
  using prom = peerLike();
  prom.declare("b", { type: "counter", help: "B." });
  prom.declare("c", { type: "gauge" });
  prom.declare("d");
  prom.inc("a");
  assert.equal(prom.format(), text("a 1", "# HELP b B.", "# TYPE b counter", "# TYPE c gauge"));
});

Deno.test("PEERS 13: names bytewise, then label text, the unlabelled first; empty is empty", () => {
  using prom = peerLike();
  assert.equal(prom.format(), "");
  const names = ["b", "a", "B", "_a", "aa", "a_"];
  for (const name of names) prom.inc(name);
  prom.inc("a", { x: "2" });
  prom.inc("a", { x: "10" });
  prom.inc("a", { b: "é" });
  assert.equal(
    prom.format(),
    text(
      ...["B 1", "_a 1", "a 1", 'a{b="é"} 1', 'a{x="10"} 1', 'a{x="2"} 1', "a_ 1", "aa 1", "b 1"],
    ),
  );
});

Deno.test("PEERS 14: `le` in string order, +Inf last within equal other labels", () => {
  using prom = peerLike();
  prom.declare("h", { buckets: [1, 2.5, 5, 7.5, 10] });
  prom.histogramObserve("h", 6, { a: "x" });
  prom.histogramObserve("h", 1, { a: "y" });
  const bounds = ["1", "10", "2.5", "5", "7.5", "+Inf"];
  const lines = (a: string, counts: number[]) =>
    bounds.map((le, i) => `h_bucket{a="${a}",le="${le}"} ${counts[i]}`);
  const [x, y] = [lines("x", [0, 1, 0, 0, 1, 1]), lines("y", [1, 1, 1, 1, 1, 1])];
  assert.equal(
    prom.format(),
    text(
      ...x,
      ...y,
      ...["count", "sum"].flatMap((part) => [
        `h_${part}{a="x"} ${part === "sum" ? 6 : 1}`,
        `h_${part}{a="y"} 1`,
      ]),
    ),
  );
});

Deno.test("PEERS 14: every series of a name in _bucket has that order, whoever made it", () => {
  using prom = peerLike();
  for (const le of ["+Inf", "10", "2"]) prom.set("n_bucket", 1, { le });
  assert.equal(
    prom.format(),
    text('n_bucket{le="10"} 1', 'n_bucket{le="2"} 1', 'n_bucket{le="+Inf"} 1'),
  );
});

Deno.test("PEERS 15: _count, _sum, every bucket with zeros, +Inf; a value equal to a bound is in it", () => {
  using prom = peerLike();
  prom.histogramObserve("h", 0.5);
  const bounds = "0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 10 2.5 5 7.5 +Inf".split(" ");
  const buckets = bounds.map((le) => `h_bucket{le="${le}"} ${Number(le) < 0.5 ? 0 : 1}`);
  assert.equal(prom.format(), text(...buckets, "h_count 1", "h_sum 0.5"));
});

Deno.test("PEERS 15: a histogram with no buckets has only +Inf", () => {
  using prom = peerLike();
  prom.declare("h", { buckets: [] });
  prom.histogramObserve("h", 3);
  assert.equal(prom.format(), text('h_bucket{le="+Inf"} 1', "h_count 1", "h_sum 3"));
});

Deno.test("PEERS 15: a user's le label is overwritten on the buckets", () => {
  using prom = peerLike();
  prom.declare("h", { buckets: [1] });
  prom.histogramObserve("h", 3, { le: "mine", a: "b" });
  prom.histogramObserve("h", 4, { a: "b" });
  assert.equal(
    prom.format(),
    text(
      'h_bucket{a="b",le="1"} 0',
      'h_bucket{a="b",le="+Inf"} 2',
      'h_count{a="b"} 1',
      'h_count{a="b",le="mine"} 1',
      'h_sum{a="b"} 4',
      'h_sum{a="b",le="mine"} 3',
    ),
  );
});

Deno.test("PEERS 16: enumSet of what is not declared dies", () => {
  using prom = peerLike();
  const dies = storeError("NOT_FOUND", /^enum not declared for 'N'/);
  assert.throws(() => prom.enumSet("N", "x"), dies);
  prom.declare("N", { help: "H." });
  assert.throws(() => prom.enumSet("N", "x"), dies);
});

Deno.test("PEERS 16: enumSet: an unknown value sets all to 0, the enum label beats a user's", () => {
  using prom = peerLike();
  prom.declare("N", { enum: "s", enumValues: ["x", "y"] });
  prom.enumSet("N", "y", { a: "b", s: "mine" }, 1000);
  assert.equal(prom.format(), text('N{a="b",s="x"} 0 1000', 'N{a="b",s="y"} 1 1000'));
  prom.enumSet("N", "z", { a: "b" });
  assert.equal(prom.format(), text('N{a="b",s="x"} 0', 'N{a="b",s="y"} 0'));
});

Deno.test("PEERS 17: the handler answers GET with 200 text/plain, any other method with 405 and no body", async () => {
  using prom = peerLike();
  prom.inc("n");
  const handler = prom.handler();
  const got = await handler(new Request("http://localhost/metrics"));
  assert.equal(got.status, 200);
  assert.match(got.headers.get("content-type")!, /^text\/plain\b/);
  assert.equal(await got.text(), "n 1\n");
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const refused = await handler(new Request("http://localhost/metrics", { method }));
    assert.equal(refused.status, 405);
    assert.equal(await refused.text(), "");
  }
});

Deno.test("PEERS 18: metrics named help and type work", () => {
  using prom = peerLike();
  prom.declare("help", { help: "Help.", type: "gauge" });
  prom.set("help", 1);
  prom.inc("type", { help: "x", type: "y" });
  assert.equal(
    prom.format(),
    text("# HELP help Help.", "# TYPE help gauge", "help 1", 'type{help="x",type="y"} 1'),
  );
});

Deno.test("PEERS 19: handles on one file see each other at once; values outlive every handle", () => {
  using file = temporaryFile();
  const one = peerLike(file);
  const other = peerLike(file);
  one.declare("a", { help: "A." });
  one.inc("a");
  other.inc("a");
  assert.equal(one.format(), "# HELP a A.\na 2\n");
  assert.equal(other.format(), one.format());
  assert.throws(() => other.declare("a", { help: "B." }), storeError("MISMATCH", /^redeclaration/));
  one.close();
  other.close();
  using later = peerLike(file);
  assert.equal(later.format(), "# HELP a A.\na 2\n");
});

Deno.test("PEERS 19: a histogram's buckets are those that another handle declared a moment ago", () => {
  using file = temporaryFile();
  using one = peerLike(file);
  using other = peerLike(file);
  for (let i = 0; i < 2; i++) one.histogramObserve("h", 3, { a: "b" });
  one.clear();
  other.declare("h", { buckets: [1, 5] });
  for (let i = 0; i < 2; i++) one.histogramObserve("h", 3, { a: "b" });
  const bucket = (le: string, count: number) => `h_bucket{a="b",le="${le}"} ${count}`;
  const totals = ['h_count{a="b"} 2', 'h_sum{a="b"} 6'];
  assert.equal(one.format(), text(bucket("1", 0), bucket("5", 2), bucket("+Inf", 2), ...totals));
});

Deno.test("PEERS 20: no filename gives a store of its own that leaves no file", () => {
  const { TMPDIR } = Deno.env.toObject();
  const shared = () => Deno.build.os === "linux" ? [...Deno.readDirSync("/dev/shm")] : [];
  // No folders: other tests, which may run beside these, make some.
  const files = () =>
    [...Deno.readDirSync(TMPDIR ?? "/tmp"), ...shared()].filter((e) => e.isFile).map((e) => e.name);
  const before = new Set(files());
  using one = peerLike();
  using other = peerLike();
  one.inc("a");
  assert.equal(other.format(), "");
  const made = files().filter((name) => !before.has(name) && /prometheus|pts/i.test(name));
  assert.deepEqual(made, []);
});

Deno.test("PEERS 20: initFile replaces the file by an empty one; who has it open keeps the old", () => {
  using file = temporaryFile();
  using old = peerLike(file);
  old.inc("a");
  const before = Deno.statSync(file.filename).ino;
  using fresh = peerLike({ ...file, initFile: true });
  assert.notEqual(Deno.statSync(file.filename).ino, before);
  assert.equal(fresh.format(), "");
  assert.equal(old.format(), "a 1\n");
});

Deno.test("PEERS 21: cacheArgs is accepted, as in the original", () => {
  using file = temporaryFile();
  const { filename: shareFile } = file;
  using one = peerLike({ cacheArgs: { shareFile, cacheSize: "1m", expireTime: "1h" } });
  using other = peerLike({ cacheArgs: { shareFile, pageSize: "64k", numPages: 16 } });
  one.inc("a");
  assert.equal(other.format(), "a 1\n");
});
