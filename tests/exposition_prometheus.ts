// A real Prometheus that scrapes us, and its query API.

import { join } from "node:path";
import { patience } from "./emulated.ts";

/** One of the things it scrapes. */
export interface Target {
  /** Its job. */
  readonly name: string;
  readonly port: number;
  readonly path: string;
}

function configuration(targets: readonly Target[]): string {
  return JSON.stringify({
    global: { scrape_interval: "300ms", scrape_timeout: "300ms" },
    scrape_configs: targets.map(({ name, port, path }) => ({
      job_name: name,
      metrics_path: path,
      static_configs: [{ targets: [`127.0.0.1:${port}`] }],
    })),
  });
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A running Prometheus with data of its own. */
export class Prometheus implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;
  readonly #url: string;

  private constructor(folder: string, child: Deno.ChildProcess, url: string) {
    this.#folder = folder;
    this.#child = child;
    this.#url = url;
  }

  /** @param features what `--enable-feature` names */
  static async start(targets: readonly Target[], features: readonly string[]): Promise<Prometheus> {
    const folder = await Deno.makeTempDir({ prefix: "prometheus-tiny-shared-prometheus-" });
    const file = join(folder, "prometheus.yml"); // JSON is YAML
    await Deno.writeTextFile(file, configuration(targets));
    const port = freePort();
    const child = new Deno.Command("prometheus", {
      args: [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        `--enable-feature=${features.join(",")}`,
        "--log.level=error",
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const prometheus = new Prometheus(folder, child, `http://127.0.0.1:${port}`);
    await prometheus.until("Prometheus is ready", () => prometheus.#isReady());
    return prometheus;
  }

  async #isReady(): Promise<boolean> {
    const response = await fetch(`${this.#url}/-/ready`);
    await response.body?.cancel();
    return response.ok;
  }

  // deno-lint-ignore no-explicit-any -- JSON of somebody else's
  async get(path: string, parameters: Record<string, string> = {}): Promise<any> {
    const response = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { status, data, error } = await response.json();
    if (status !== "success") throw new Error(`${path}: ${error}`);
    return data;
  }

  /** The value of an expression that has one. */
  async value(query: string): Promise<number | undefined> {
    const { result } = await this.get("query", { query });
    return result.length === 0 ? undefined : Number(result[0].value[1]);
  }

  /** Asks again until it is so, or 20 seconds have passed (more where the processor is emulated). */
  async until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const seconds = 20 * patience;
    const deadline = performance.now() + 1000 * seconds;
    for (;;) {
      const so = await isSo().catch((error) => {
        if (error instanceof TypeError) return false; // nobody listens yet
        throw error;
      });
      if (so) return;
      if (performance.now() > deadline) throw new Error(`${what}: not within ${seconds} seconds`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}
