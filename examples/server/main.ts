// The example server: a supervisor and its workers, all of whose metrics live in one store.
//
//   main.ts        what is started in which order
//   options.ts     the command line
//   supervisor.ts  keeps workers running          backoff.ts  how fast it starts them again
//   launch.ts      starts one: a process (worker.ts) or a thread (thread.ts)
//   service.ts     what a worker serves, with its metrics: the part to copy   routes.ts  its routes
//   front.ts       shares out connections where the kernel does not           net.ts     addresses

import { Front } from "./front.ts";
import { startProcess, startThread } from "./launch.ts";
import { baseUrl, choosePort } from "./net.ts";
import { help, type Options, parseOptions, UsageError } from "./options.ts";
import { prepareStore } from "./store.ts";
import { Supervisor } from "./supervisor.ts";

const graceMs = 10_000;

async function serve(options: Options): Promise<number> {
  const { hostname, threads } = options;
  // Only Linux spreads the connections of a shared port over those who listen on it.
  const front = options.front || Deno.build.os !== "linux"
    ? new Front(hostname, options.port)
    : undefined;
  const port = front?.port ?? choosePort(hostname, options.port);
  const store = prepareStore(options, port);
  const listening = front
    ? { hostname: "127.0.0.1", port: 0, reusePort: false }
    : { hostname, port, reusePort: true };
  const start = threads ? startThread : startProcess;
  const supervisor = new Supervisor({
    workers: options.workers,
    start: (worker) => start({ worker, file: store.file, graceMs, ...listening }),
    onUp: (worker, port) => front?.add(worker, port),
    onDown: (worker) => front?.remove(worker),
    log: (message) => console.log(message),
  });
  const stopSignal = watchSignals(() => supervisor.kill());
  try {
    await supervisor.start();
    console.log(whereToLook(options, port, store.file, supervisor, front !== undefined));
    console.log(`${await stopSignal}: stopping after the requests in flight`);
    front?.stopAccepting();
    const killed = await supervisor.stop(graceMs);
    if (killed > 0) console.log(`${killed} workers were killed after ${graceMs / 1000} s`);
    console.log("stopped");
    return killed > 0 ? 1 : 0;
  } finally {
    front?.close();
    store.discard();
  }
}

/** Resolves with the first signal to stop; one that comes later is impatience. */
function watchSignals(onImpatience: () => void): Promise<Deno.Signal> {
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  return new Promise((resolve) => {
    let isLater = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const take = (signal: Deno.Signal) => {
      if (isLater) onImpatience();
      // One Ctrl-C may arrive twice: from the terminal, and passed on by `deno task`. On a busy machine
      // we may see the second one late, so no clock is asked: whatever waits for us when the first timer
      // is due has been seen before the second one is.
      timer ??= setTimeout(() => setTimeout(() => isLater = true), 500);
      resolve(signal);
    };
    for (const signal of signals) Deno.addSignalListener(signal, () => take(signal));
  });
}

function whereToLook(
  { hostname, workers, threads, file }: Options,
  port: number,
  storeFile: string,
  supervisor: Supervisor,
  front: boolean,
): string {
  const url = baseUrl(hostname, port);
  const names = supervisor.members.map((member) => member.name).join(", ");
  const shared = front
    ? "accepted by the supervisor and passed on in turn"
    : "spread by the kernel (SO_REUSEPORT)";
  return `
service      ${url}/
metrics      ${url}/metrics
health       ${url}/healthz
store        ${storeFile} (${file === undefined ? "removed at the end" : "kept"})
workers      ${workers} ${threads ? `threads of pid ${Deno.pid}` : `processes: ${names}`}
connections  ${shared}
stop with Ctrl-C
`;
}

async function main(): Promise<number> {
  try {
    const options = parseOptions(Deno.args);
    if (options !== "help") return await serve(options);
    console.log(help);
    return 0;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    console.error(`error: ${message}`);
    if (!(error instanceof UsageError)) return 1;
    console.error("see deno task serve --help");
    return 2;
  }
}

if (import.meta.main) Deno.exit(await main());
