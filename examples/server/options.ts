// The command line of the example server: what it takes, and a clear answer to what it does not.

import { parseArgs } from "node:util";

/** What the command line asked for. */
export interface Options {
  /** How many workers answer requests. */
  readonly workers: number;
  /** The address that is listened on. */
  readonly hostname: string;
  /** The port that is listened on; 0 picks a free one. */
  readonly port: number;
  /** The store file to continue and to keep; undefined for a fresh one that goes with the server. */
  readonly file?: string;
  /** Workers are threads of one process instead of processes. */
  readonly threads: boolean;
  /** The supervisor accepts connections itself, even where the kernel could balance them. */
  readonly front: boolean;
}

/** The command line could not be understood. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const maxWorkers = 256;

/** The text of `--help`. */
export const help = `Serve a small JSON service from many workers that share one /metrics.

Usage: deno task serve [options]

  --workers N     number of workers, 1 to ${maxWorkers} (default: one for each processor)
  --port P        port to listen on, 0 for any free one (default: 8080)
  --hostname H    address to listen on (default: 127.0.0.1)
  --file F        store the metrics in this file, continue what it holds, and keep it
                  (default: a fresh store in memory, removed at the end)
  --threads       run the workers as threads of one process
  --front         let the supervisor accept connections and hand them to the workers in turn
                  (always so where the kernel does not balance them: macOS, Windows)
  --help          show this text`;

/**
 * Reads the command line.
 *
 * @param args the arguments after the program's name
 * @returns the options, or "help" when that was asked for
 * @throws {UsageError} for an unknown option, a missing value or one that is out of range
 */
export function parseOptions(args: string[]): Options | "help" {
  const values = parse(args);
  if (values.help) return "help";
  return {
    workers: integer("--workers", values.workers, 1, maxWorkers) ??
      Math.min(navigator.hardwareConcurrency, maxWorkers),
    port: integer("--port", values.port, 0, 65535) ?? 8080,
    hostname: nonEmpty("--hostname", values.hostname) ?? "127.0.0.1",
    file: nonEmpty("--file", values.file),
    threads: values.threads ?? false,
    front: values.front ?? false,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        workers: { type: "string" },
        port: { type: "string" },
        hostname: { type: "string" },
        file: { type: "string" },
        threads: { type: "boolean" },
        front: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function integer(name: string, text: string | undefined, min: number, max: number) {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new UsageError(`${name} takes a whole number from ${min} to ${max}, not '${text}'`);
  }
  return value;
}

function nonEmpty(name: string, text: string | undefined) {
  if (text === "") throw new UsageError(`${name} must not be empty`);
  return text;
}
