// Two containers, as far as processes see it: two pid namespaces in which each process has number 1, sharing a store.

import assert from "node:assert/strict";
import { isEmulated } from "./emulated.ts";
import { temporaryFolder } from "./opening.ts";

const unshare = ["-p", "-f", "--mount-proc", "--kill-child=SIGKILL"];

async function whyNot(): Promise<string> {
  if (Deno.build.os !== "linux") return "pid namespaces are Linux's";
  if (Deno.uid() !== 0) return "only root may make pid namespaces";
  const { success } = await new Deno.Command("unshare", { args: [...unshare, "true"] }).output()
    .catch(() => ({ success: false }));
  return success ? "" : "this system forbids unshare -p";
}

const reason = await whyNot();
if (reason) console.log(`containers_test.ts is skipped: ${reason}`);

/** Which of two containers holds a lock, and which takes it over. */
const pairs = isEmulated ? [[1, 0]] : [[0, 1], [1, 0]];

/** A process alone in its pid namespace. */
class Container {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #lines: string[] = [];

  constructor(folder: string, amount: number) {
    this.#child = new Deno.Command("unshare", {
      args: [
        ...unshare,
        ...[Deno.execPath(), "run", "--allow-all", "--quiet", "--no-lock"],
        import.meta.resolve("./containers_process.ts"),
        ...[`${folder}/metrics`, `${folder}/cache`, `${amount}`],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async say(command: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(command + "\n"));
  }

  async hear(): Promise<string> {
    while (this.#lines.length === 0) {
      const { value, done } = await this.#output.read();
      assert.ok(!done, "a container ended before its answer");
      this.#lines.push(...value.trim().split("\n"));
    }
    return this.#lines.shift()!;
  }

  async ask(command: string): Promise<string> {
    await this.say(command);
    return await this.hear();
  }

  /** Sends a signal to the process in the container, by the number that it has outside. */
  signal(signal: Deno.Signal): void {
    const { pid } = this.#child;
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
    Deno.kill(Number(children.trim()), signal);
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#child.status;
    await this.#input.close().catch(() => {});
    await this.#output.cancel();
  }
}

async function withTwo(
  test: (one: Container, other: Container, folder: string) => Promise<void>,
): Promise<void> {
  using folder = temporaryFolder("/dev/shm");
  const containers = [new Container(folder.path, 3), new Container(folder.path, 4)];
  try {
    for (const container of containers) assert.equal(await container.ask("pid"), "1");
    await test(containers[0], containers[1], folder.path);
  } finally {
    for (const container of containers) await container.kill().catch(() => {});
  }
}

Deno.test({
  name: "containers: a process knows who is alive in the other pid namespace, in both directions",
  ignore: reason !== "",
  async fn() {
    await withTwo(async (one, other, folder) => {
      assert.equal(await one.ask("alive"), "7");
      assert.equal(await other.ask("alive"), "7");
      await one.kill();
      assert.equal(await other.ask("alive"), "4");
      // Another process with number 1 is not the dead one.
      const third = new Container(folder, 50);
      try {
        assert.equal(await third.ask("alive"), "54");
        await other.kill();
        assert.equal(await third.ask("alive"), "50");
      } finally {
        await third.kill();
      }
    });
  },
});

Deno.test({
  name: "containers: a lock of a killed process in the other pid namespace is taken over",
  ignore: reason !== "",
  async fn() {
    for (const [holder, heir] of pairs) {
      await withTwo(async (...[one, other]) => {
        const containers = [one, other];
        assert.equal(await containers[holder].ask("hold"), "holding");
        await containers[holder].kill();
        assert.equal(await containers[heir].ask("set"), "stored");
        assert.equal(await containers[heir].ask("get"), `from ${[3, 4][heir]}`);
      });
    }
  },
});

Deno.test({
  name: "containers: a stopped lock holder is waited for up to the deadline, and keeps its lock",
  ignore: reason !== "",
  async fn() {
    await withTwo(async (one, other) => {
      assert.equal(await one.ask("set"), "stored");
      assert.equal(await one.ask("hold"), "holding");
      one.signal("SIGSTOP");
      for (let i = 0; i < 3; i++) {
        assert.equal(await other.ask("set"), "LOCK_TIMEOUT after the deadline");
      }
      assert.equal(await other.ask("get"), "from 3"); // Who reads needs no lock.
      one.signal("SIGCONT");
      assert.equal(await one.hear(), "let go");
      assert.equal(await other.ask("get"), "held by 3");
      assert.equal(await other.ask("set"), "stored");
    });
  },
});
