// Many processes attach, update and detach, while another one clears, replaces and renders the store.

import assert from "node:assert/strict";
import { PrometheusTinyShared } from "../mod.ts";
import { temporaryFolder } from "./opening.ts";
import { checkMetrics } from "../tools/checker.ts";

interface Churned {
  rounds: number;
  refused: number;
}

function start(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--allow-all", "--quiet", "--no-lock"],
      import.meta.resolve("./churn_process.ts"),
      ...args,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** Lets it end its round, and kills it when it does not: then it hangs. */
async function end(child: Deno.ChildProcess, limitMs: number): Promise<Churned> {
  await child.stdin.close();
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, limitMs);
  const { success, signal, stdout } = await child.output();
  clearTimeout(timer);
  assert.ok(!hung, "a process hung");
  assert.ok(success, `a process ended by ${signal ?? "an error"}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Runs the churn; the sentence that it returns is the report. */
export async function churn(processes: number, seconds: number): Promise<string> {
  using folder = temporaryFolder(Deno.build.os === "linux" ? "/dev/shm" : undefined);
  const filename = `${folder.path}/metrics`;
  new PrometheusTinyShared({ filename }).close();
  const children = [
    start(filename, "init", "0"),
    ...Array.from({ length: processes }, (_, i) => start(filename, "update", `${i}`)),
  ];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const [disturbed, ...updated] = await Promise.all(children.map((child) => end(child, 60_000)));
  assert.ok(disturbed.rounds > 0 && updated.every(({ rounds }) => rounds > 0));

  // What is left is explained: one file, whole, with updates since it was last replaced or cleared.
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["metrics"]);
  using prom = new PrometheusTinyShared({ filename });
  const rounds = updated.reduce((sum, one) => sum + one.rounds, 0);
  const counted = [...prom.format().matchAll(/^churn_total\{.*\} (\d+)$/gm)]
    .reduce((sum, [, count]) => sum + Number(count), 0);
  assert.ok(counted <= rounds, `${counted} counted, ${rounds} made`);
  const before = counted;
  prom.inc("churn_total", { process: "last" });
  assert.match(prom.format(), /^churn_total\{process="last"\} 1$/m);
  const { result, text: message } = checkMetrics(filename, false);
  assert.equal(result, 0, message);
  const refused = updated.reduce((sum, one) => sum + one.refused, 0) + disturbed.refused;
  return `${processes} processes attached and detached ${rounds} times in ${seconds} s, ` +
    `${refused} attempts refused (no free slot, or the file replaced all the time); ` +
    `the file was cleared, replaced or rendered ${disturbed.rounds} times; ` +
    `${before} updates are in the last file`;
}
