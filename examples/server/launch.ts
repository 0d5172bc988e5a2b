// Starts a worker: as a process with only the permissions that it needs, or as a thread.

import { libraryFolder } from "../../ffi/folder.ts";
import type { Member, ThreadMessage, WorkerConfig } from "./member.ts";
import { address } from "./net.ts";

/**
 * Starts a worker process.
 *
 * @param config what the worker is told
 * @returns the running worker
 */
export function startProcess(config: WorkerConfig): Member {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags(config), import.meta.resolve("./worker.ts"), JSON.stringify(config)],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const stdin = child.stdin;
  const output = firstLine(child.stdout);
  return {
    name: `pid ${child.pid}`,
    ready: output.then(Number),
    ended: child.status.then(async ({ code, signal }) => {
      await stdin.close().catch(() => {}); // Broken when the worker ended first, as it mostly has.
      return signal ? `killed by ${signal}` : `exit code ${code}`;
    }),
    stop: () => void stdin.close().catch(() => {}),
    kill() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has just ended by itself.
      }
    },
  };
}

function flags({ hostname, port }: WorkerConfig): string[] {
  return [
    "--no-prompt",
    "--unstable-net", // For reusePort.
    "--allow-ffi",
    `--allow-read=${libraryFolder().replaceAll(",", ",,")}`, // The supervisor has written it.
    `--allow-net=${address(hostname, port)}`,
  ];
}

/**
 * Starts a worker thread in this process.
 *
 * @param config what the worker is told
 * @returns the running worker
 */
export function startThread(config: WorkerConfig): Member {
  const thread = new Worker(import.meta.resolve("./thread.ts"), { type: "module" });
  const ready = Promise.withResolvers<number>();
  const ended = Promise.withResolvers<string>();
  thread.addEventListener("message", ({ data }: MessageEvent<ThreadMessage>) => {
    if ("port" in data) ready.resolve(data.port);
    else ended.resolve("stopped");
  });
  thread.addEventListener("error", (event) => {
    event.preventDefault(); // Or the whole process would end with it.
    ended.resolve(`error: ${event.message}`);
  });
  thread.postMessage(config);
  return {
    name: `thread ${config.worker}`,
    ready: ready.promise,
    ended: ended.promise,
    stop: () => thread.postMessage("stop"),
    kill() {
      thread.terminate();
      ended.resolve("terminated");
    },
  };
}

/** Resolves with the first line; what the worker prints later goes to our own output. */
function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Promise((resolve) => {
    let line = "";
    let found = false;
    const take = (text: string) => {
      if (found) return console.log(text.trimEnd());
      line += text;
      found = line.includes("\n");
      if (found) resolve(line);
    };
    stream.pipeThrough(new TextDecoderStream()).pipeTo(new WritableStream({ write: take }));
  });
}
