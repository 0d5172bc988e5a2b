/**
 * What the numbers were measured on.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";

/** A description of this machine. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly deno: string;
  readonly v8: string;
  /** Of the last minute, when the run began: a busy machine gives wider spreads. */
  readonly load: number;
  readonly date: string;
}

/** Describes this machine. */
export function describeMachine(): Machine {
  return {
    processor: processorName(),
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${Deno.build.os} ${release()} ${Deno.build.arch}`,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    load: Math.round(loadavg()[0] * 100) / 100,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** Virtual machines often hide the model's name, but not its family. */
function processorName(): string {
  const model = cpus()[0]?.model.trim() || "unknown processor";
  try {
    const text = readFileSync("/proc/cpuinfo", "utf8");
    const field = (name: string) => new RegExp(`^${name}\\s*: (.*)$`, "m").exec(text)?.[1];
    const family = field("cpu family");
    const virtual = /^flags.* hypervisor( |$)/m.test(text) ? ", virtual machine" : "";
    return family ? `${model} (family ${family}, model ${field("model")})${virtual}` : model;
  } catch {
    return model;
  }
}
