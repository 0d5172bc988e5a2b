import assert from "node:assert/strict";
import { Paths } from "../src/paths.ts";

const missing = -1;

Deno.test("Paths.find() finds what was put, in the order and type it was put", () => {
  const paths = new Paths(missing, 1000);
  paths.put("a", { x: "1", y: "2" }, 10);
  paths.put("a", { x: "1" }, 11);
  paths.put("a", undefined, 12);
  assert.equal(paths.find("a", { x: "1", y: "2" }), 10);
  assert.equal(paths.find("a", { x: "1" }), 11);
  assert.equal(paths.find("a", undefined), 12);
  assert.equal(paths.find("a", null), 12);
  assert.equal(paths.find("a", {}), 12);
  assert.equal(paths.find("a", { y: "2", x: "1" }), missing);
  assert.equal(paths.find("a", { x: 1 }), missing);
  assert.equal(paths.find("a", { y: "2" }), missing);
  assert.equal(paths.find("b", { x: "1" }), missing);
});

Deno.test("Paths.find() does not take what only looks like labels", () => {
  const paths = new Paths(missing, 1000);
  paths.put("a", {}, 10);
  for (const labels of [5, "x", [], new Map(), true] as never[]) {
    assert.equal(paths.find("a", labels), missing);
  }
});

Deno.test("Paths.find() passes inherited properties over", () => {
  const paths = new Paths(missing, 1000);
  paths.put("a", Object.assign(Object.create({ z: "1" }), { x: "1" }), 10);
  assert.equal(paths.find("a", { x: "1" }), 10);
  assert.equal(paths.find("a", Object.assign(Object.create({ y: "1" }), { x: "1" })), 10);
});

Deno.test("Paths.forget() forgets one name", () => {
  const paths = new Paths(missing, 1000);
  paths.put("a", { x: "1" }, 10);
  paths.put("b", { x: "1" }, 11);
  paths.forget("a");
  assert.equal(paths.find("a", { x: "1" }), missing);
  assert.equal(paths.find("b", { x: "1" }), 11);
});

Deno.test("Paths never remembers many more places than it may", () => {
  const paths = new Paths(missing, 100);
  let found = 0;
  for (let i = 0; i < 10_000; i++) paths.put("a", { x: i }, i);
  for (let i = 0; i < 10_000; i++) if (paths.find("a", { x: i }) === i) found++;
  assert(found > 0 && found <= 100, `${found} are remembered`);
});

Deno.test("Paths remembers few label names at one place, and no wrong ones", () => {
  const paths = new Paths(missing, 10_000);
  let found = 0;
  for (let i = 0; i < 100; i++) paths.put("a", { [`l${i}`]: "x" }, i);
  for (let i = 0; i < 100; i++) {
    const leaf = paths.find("a", { [`l${i}`]: "x" });
    if (leaf === i) found++;
    else assert.equal(leaf, missing);
  }
  assert.equal(found, 16);
});
