// Many processes attach, update and detach, while another one clears, replaces and renders the store.

import assert from "node:assert/strict";
import { PrometheusTinyShared } from "../mod.ts";
import { patience } from "./emulated.ts";
import { temporaryFolder } from "./opening.ts";
import { TextLineStream } from "./text_lines.ts";
import { checkMetrics } from "../tools/checker.ts";
import { startScript } from "./script.ts";

interface Churned {
  rounds: number;
  refused: number;
}

/** A process that churns: it says when it is ready, and in the end what it did. */
class Churner {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;

  constructor(...args: string[]) {
    this.#child = startScript(import.meta.resolve("./churn_process.ts"), args);
    this.#input = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream()).getReader();
  }

  /** Returns when it only waits for the others. */
  async ready(): Promise<void> {
    const { value } = await this.#inTime(this.#lines.read());
    assert.equal(value, "ready", "a process ended before its first round");
  }

  async begin(): Promise<void> {
    await this.#input.write(new TextEncoder().encode("\n"));
  }

  /** Lets it end its round. */
  async end(): Promise<Churned> {
    await this.#input.close();
    const { value } = await this.#inTime(this.#lines.read());
    const { success, signal } = await this.#inTime(this.#child.status);
    await this.#lines.cancel();
    assert.ok(success && value, `a process ended by ${signal ?? "an error"}`);
    return JSON.parse(value);
  }

  /** Kills it when what it has to do takes too long: then it hangs. */
  async #inTime<T>(work: Promise<T>): Promise<T> {
    let hung = false;
    const timer = setTimeout(() => {
      hung = true;
      this.#child.kill("SIGKILL");
    }, 60_000 * patience);
    const result = await work;
    clearTimeout(timer);
    assert.ok(!hung, "a process hung");
    return result;
  }
}

/** Runs the churn; the sentence that it returns is the report. */
export async function churn(processes: number, seconds: number): Promise<string> {
  using folder = temporaryFolder(Deno.build.os === "linux" ? "/dev/shm" : undefined);
  const filename = `${folder.path}/metrics`;
  new PrometheusTinyShared({ filename }).close();
  const churners = [
    new Churner(filename, "init", "0"),
    ...Array.from({ length: processes }, (_, i) => new Churner(filename, "update", `${i}`)),
  ];
  await Promise.all(churners.map((churner) => churner.ready()));
  await Promise.all(churners.map((churner) => churner.begin()));
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const [disturbed, ...updated] = await Promise.all(churners.map((churner) => churner.end()));
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
