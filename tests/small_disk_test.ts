// Tiny file systems, and processes without descriptors: an error in words, and nothing lost. Full and read-only
// ones at the start are in bad_files_test.ts.

import assert from "node:assert/strict";
import { temporaryFolder } from "./opening.ts";

/** Only root may mount, and only in a mount namespace of its own; empty when this process may. */
async function whyNoMounts(): Promise<string> {
  if (Deno.build.os !== "linux") return "mounts a tmpfs, which is Linux's";
  if (Deno.uid() !== 0) return "only root may mount a tmpfs";
  const { success } = await new Deno.Command("unshare", { args: ["-m", "true"] }).output()
    .catch(() => ({ success: false }));
  return success ? "" : "this system forbids unshare -m";
}

const noMounts = await whyNoMounts();
if (noMounts) console.log(`small_disk_test.ts skips what needs a mount: ${noMounts}`);

interface Answer {
  failure?: string;
  [name: string]: unknown;
}

/** Runs the process by a shell's line, in which $RUN is the process; returns its answer. */
async function answerOf(line: string, namespace: boolean, env = {}): Promise<Answer> {
  const shell = ["sh", "-ec", line];
  const [command, ...args] = namespace ? ["unshare", "-m", ...shell] : shell;
  const { success, signal, stdout, stderr } = await new Deno.Command(command, {
    args,
    env: {
      ...env,
      DENO: Deno.execPath(),
      PROCESS: new URL("./small_disk_process.ts", import.meta.url).pathname,
    },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  assert.ok(success, `ended by ${signal ?? "an error"}: ${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout));
}

const run = `"$DENO" run --allow-all --quiet --no-lock "$PROCESS"`;

function mounted(name: string, options: string, line: string, check: (answer: Answer) => void) {
  Deno.test({
    name,
    ignore: noMounts !== "",
    async fn() {
      using folder = temporaryFolder();
      const mount = `mount -t tmpfs -o ${options} none "$PLACE"; ${line}`;
      check(await answerOf(mount, true, { PLACE: folder.path }));
    },
  });
}

mounted(
  "on a tmpfs of 1 MiB a store is made, filled, and goes on with what it has",
  "size=1m",
  `${run} fill "$PLACE/metrics"`,
  (answer) => {
    assert.equal(answer.kept, "8");
    assert.equal(answer.first, "1");
    assert.ok(answer.stored as number > 10);
    assert.deepEqual(answer.failures, ["NO_SPACE"]);
  },
);

mounted(
  "on a file system without inodes a store is refused in words",
  "size=16m,nr_inodes=1",
  `${run} useDefaults "$PLACE/metrics"`,
  (answer) => assert.match(answer.failure!, /^NO_SPACE: .*metrics/),
);

mounted(
  "in a container with 64 MiB of /dev/shm a default store works",
  "size=1m",
  `mount -t tmpfs -o size=64m none /dev/shm; ${run} useDefaults /dev/shm/metrics`,
  (answer) => assert.equal(answer.lines, 1000),
);

mounted(
  "in a container with 64 MiB of /dev/shm a private default store works",
  "size=1m",
  `mount -t tmpfs -o size=64m none /dev/shm; ${run} useDefaults`,
  (answer) => assert.equal(answer.lines, 1000),
);

Deno.test({
  name: "without descriptors another store is refused in words, and the open ones go on",
  ignore: Deno.build.os === "windows", // has no such limit
  async fn() {
    using folder = temporaryFolder();
    const line = `ulimit -n 64; ${run} useDescriptors "$PLACE/metrics"`;
    const answer = await answerOf(line, false, { PLACE: folder.path });
    assert.match(answer.failure!, /^NO_DESCRIPTORS: .*metrics/);
    assert.equal(answer.text, "still_total 1\n");
  },
});
