import assert from "node:assert/strict";
import { printedLabel, seriesKey } from "../src/labels.ts";
import { parseExposition, parseLabels, takeLabel } from "../src/prom_client/exposition_text.ts";

/** Values that look like parts of a line. */
const values = [
  "",
  "plain",
  'quote " and \\ and \n',
  "\\n",
  "}",
  "{a} 5",
  "x,le=",
  'x,le="1',
  " # {",
  "ü😀",
  "\\",
];

const printed = (name: string, labels: Record<string, string>) =>
  seriesKey(name, Object.entries(labels)).printed;

Deno.test("parseExposition() reads back every label value", () => {
  for (const a of values) {
    for (const b of values) {
      const [sample] = parseExposition(printed("m", { a, b }) + " 1.5").get("m")!.samples;
      assert.deepEqual(parseLabels(sample.labels), { a, b });
      assert.equal(sample.value, 1.5);
      assert.equal(sample.exemplar, undefined);
    }
  }
});

Deno.test("parseExposition() reads exemplars, whatever their labels and those before", () => {
  for (const a of values) {
    const line = `${printed("m_total", { a })} 3 # {${printedLabel("id", a)}} 2 1.25`;
    const [sample] = parseExposition(`# TYPE m counter\n${line}`).get("m")!.samples;
    assert.deepEqual(sample.exemplar, { labelSet: { id: a }, value: 2, timestamp: 1.25 });
    assert.deepEqual(parseLabels(sample.labels), { a });
  }
});

Deno.test("takeLabel() takes a label out and leaves the others as they are printed", () => {
  for (const a of values) {
    for (const le of ["0.5", "+Inf"]) {
      const all = parseExposition(printed("m", { a, le, z: a }) + " 1").get("m")!.samples[0].labels;
      const { value, rest } = takeLabel(all, "le");
      assert.equal(value, le);
      assert.deepEqual(parseLabels(rest), { a, z: a });
      assert.equal(`m{${rest}}`, printed("m", { a, z: a }));
    }
  }
  assert.deepEqual(takeLabel('le="1"', "le"), { value: "1", rest: "" });
  assert.deepEqual(takeLabel('a="x,le=",b="1"', "le"), { rest: 'a="x,le=",b="1"' });
});

Deno.test("parseExposition() gives lines to the family of their header", () => {
  const families = parseExposition(`# HELP h Help \\\\ text\\nend.
# TYPE h histogram
h_bucket{le="1"} 1
h_bucket{le="+Inf"} 2
h_sum NaN
h_count 2
# TYPE g gauge
g -Inf 1700000000000
undeclared{a="b"} +Inf
{"quoted.name",a="b"} 1
# EOF
`);
  const told = [...families.values()].map((
    { name, type, help, samples },
  ) => [name, type, help, samples.map(({ name, value }) => `${name} ${value}`)]);
  assert.deepEqual(told, [
    ["h", "histogram", "Help \\ text\nend.", [
      "h_bucket 1",
      "h_bucket 2",
      "h_sum NaN",
      "h_count 2",
    ]],
    ["g", "gauge", "", ["g -Infinity"]],
    ["undeclared", "untyped", "", ["undeclared Infinity"]],
  ]);
});
