// What the supervisor knows of a worker, and what a worker is told: the same for processes and
// threads.

import { createService } from "./service.ts";

/** What a worker is told when it starts. */
export interface WorkerConfig {
  /** Its number, from 0. */
  readonly worker: number;
  /** The store that all workers share. */
  readonly file: string;
  readonly hostname: string;
  readonly port: number;
  /** Listen on a port that other workers listen on too. */
  readonly reusePort: boolean;
  /** How long requests in flight may take after the worker was told to stop, in milliseconds. */
  readonly graceMs: number;
}

/** What a worker thread says: that it answers, and that it has stopped. */
export type ThreadMessage = { readonly port: number } | { readonly stopped: true };

/** A worker as its supervisor sees it. */
export interface Member {
  /** What to call it, such as "pid 1234". */
  readonly name: string;
  /** The port it answers on, once it does; never settles when it ends before that. */
  readonly ready: Promise<number>;
  /** Why it ended, in words. */
  readonly ended: Promise<string>;
  /** Lets requests in flight finish, then ends it. */
  stop(): void;
  /** Ends it at once. */
  kill(): void;
}

/**
 * Starts answering requests, in the process or thread that calls it.
 *
 * @param config what this worker was told
 * @returns the port, and a function that stops after the requests in flight
 */
export function startServing(config: WorkerConfig): { port: number; stop(): Promise<void> } {
  const service = createService(config.file, config.worker);
  const { hostname, port, reusePort } = config;
  const server = Deno.serve({ hostname, port, reusePort, onListen() {} }, service.handler);
  return {
    port: server.addr.port,
    async stop() {
      await server.shutdown();
      service.close();
    },
  };
}
