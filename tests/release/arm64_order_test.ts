// Under emulation an arm64 program keeps x86's order, so no test that runs there can show that the
// order is right. That the protocols are right in arm64's order, the models of tests/models show; that
// the processor is told to keep the order they need, is read here in the code that was generated.

import assert from "node:assert/strict";

const assembly = new URL("../../zig-out/assembly/linux_aarch64/", import.meta.url);

/** Instructions that order memory accesses; of an exclusive pair the load acquires, the store releases. */
const ordering = /^(ldar|ldapr|stlr|dmb|ldaxr|stlxr|ldaxp|stlxp)$/;

/**
 * The ordering instructions of a function, in the order of its code. The compiler may move the slow
 * part of a function behind its end, but what is written one after the other stays so.
 */
function orderOf(text: string, name: string): string[] {
  const start = text.search(new RegExp(`^${name}:`, "m"));
  assert(start >= 0, `there is no function ${name}: it was renamed or inlined; change the table`);
  const code = text.slice(start, text.indexOf(`.Lfunc_end`, start));
  return [...code.matchAll(/^\t([a-z]\w*)(?:\s+(\w+))?/gm)]
    .filter(([, instruction]) => ordering.test(instruction))
    .map(([, instruction, operand]) => instruction === "dmb" ? `dmb ${operand}` : instruction);
}

/** Whether `wanted` is there in this order, with others between. */
function contains(found: string[], wanted: string[]): boolean {
  let next = 0;
  for (const instruction of found) if (instruction === wanted[next]) next++;
  return next === wanted.length;
}

interface HotPath {
  file: string;
  function: string;
  /** What has to be there, in this order. */
  order: string[];
  because: string;
}

const hotPaths: HotPath[] = [
  {
    file: "cell",
    function: "pts_add",
    order: ["ldar", "ldar", "stlr"],
    because:
      "the head and the store's generation are acquired before the cell is touched, and the " +
      "sum is released to scrapes",
  },
  {
    file: "cell",
    function: "pts_set",
    order: ["ldar", "ldar"],
    because: "the head and the store's generation are acquired before the cell is touched",
  },
  {
    file: "observe",
    function: "pts_observe",
    order: ["ldar", "ldar", "dmb ish", "stlr"],
    because:
      "the redo record and the odd sequence are there before the count and the sum, and these " +
      "before the even sequence",
  },
  {
    file: "cell",
    function: "pts_start_block",
    order: ["dmb ish", "stlr"],
    because: "the cells of a new block are there before its tag",
  },
  {
    file: "reading",
    function: "pts_read_value",
    order: ["ldar", "dmb ishld"],
    because: "a scrape acquires tags and cells, and looks at the head again only after that",
  },
  {
    file: "reading",
    function: "pts_read_histogram",
    order: ["ldar", "dmb ishld"],
    because: "the sequence is looked at again only after the counts were read",
  },
  {
    file: "lock",
    function: "pts_lock_take",
    order: ["ldaxr", "stlxr"],
    because: "who takes a lock sees what its last owner wrote",
  },
  {
    file: "lock",
    function: "pts_lock_release",
    order: ["ldaxr", "stlxr"],
    because: "what the owner wrote is there before the lock is free",
  },
  {
    file: "cache_read",
    function: "run",
    order: ["ldar", "dmb ishld"],
    because:
      "a get without a lock acquires the frame's number, and looks at it again only after it " +
      "has copied the value",
  },
  {
    file: "cache_read",
    function: "look_once",
    order: ["ldar"],
    because: "a slot is acquired before the entry it names is read",
  },
  {
    file: "page",
    function: "pts_page_insert",
    order: ["dmb ish", "stlr"],
    because: "a set writes the whole entry before it publishes the slot",
  },
  {
    file: "page",
    function: "pts_page_begin",
    order: ["dmb ish"],
    because: "the frame that is shown is read by everybody before the other one is built anew",
  },
  {
    file: "page",
    function: "pts_page_publish",
    order: ["stlr"],
    because: "the new frame is whole before its number is shown",
  },
];

for (const path of hotPaths) {
  Deno.test(`on arm64, ${path.function} of ${path.file}.c tells the processor its order`, async () => {
    const text = await Deno.readTextFile(new URL(`${path.file}.s`, assembly));
    const found = orderOf(text, path.function);
    assert(
      contains(found, path.order),
      `csrc/${path.file}.c: ${path.function} needs ${
        path.order.join(", ")
      } in this order, and has ` +
        `${
          found.join(", ") || "none"
        }. If its protocol was changed, change the table with the model`,
    );
  });
}

Deno.test("on arm64, no access is ordered by a call", async () => {
  for (const { name } of Deno.readDirSync(assembly)) {
    const text = await Deno.readTextFile(new URL(name, assembly));
    // Such helpers choose an instruction at run time, and are not in every C library.
    assert.deepEqual(text.match(/\bbl\s+(__aarch64_\w+|__atomic_\w+)/g) ?? [], [], name);
  }
});
