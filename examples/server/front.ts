// The way in where the kernel does not spread connections over the workers: the supervisor accepts
// them and passes their bytes on, one worker after the other.

import { listen } from "./net.ts";

const patience = 5_000; // Milliseconds that a connection waits for a worker to be up.

/** Accepts connections on one port and hands them to the workers in turn. */
export class Front {
  readonly #listener: Deno.TcpListener;
  readonly #ports = new Map<number, number>();
  readonly #open = new Set<Deno.Conn>();
  #turn = 0;

  /**
   * @param hostname the address to listen on
   * @param port the port; 0 picks a free one
   * @throws {Error} when it cannot listen there
   */
  constructor(hostname: string, port: number) {
    this.#listener = listen(hostname, port);
    this.#accept();
  }

  /** The port that is listened on. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** A worker is up and answers on this port of 127.0.0.1. */
  add(worker: number, port: number): void {
    this.#ports.set(worker, port);
  }

  /** A worker has ended. */
  remove(worker: number): void {
    this.#ports.delete(worker);
  }

  /** Accepts no more; open connections end when their workers close them. */
  stopAccepting(): void {
    this.#listener.close();
  }

  /** Cuts the connections that are still open. */
  close(): void {
    for (const conn of this.#open) closeQuietly(conn);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) this.#serve(client);
  }

  async #serve(client: Deno.Conn): Promise<void> {
    this.#open.add(client);
    const server = await this.#connect();
    if (server !== undefined) {
      this.#open.add(server);
      // A reset on either side ends both; a plain end is passed on, so that the other may finish.
      await Promise.all([copy(client, server), copy(server, client)]).catch(() => {});
      this.#open.delete(server);
      closeQuietly(server);
    }
    this.#open.delete(client);
    closeQuietly(client);
  }

  async #connect(): Promise<Deno.Conn | undefined> {
    const deadline = performance.now() + patience;
    while (performance.now() < deadline) {
      const ports = [...this.#ports.values()];
      for (let tries = ports.length; tries > 0; tries--) {
        const port = ports[this.#turn++ % ports.length];
        try {
          return await Deno.connect({ hostname: "127.0.0.1", port });
        } catch {
          // This worker has just died: ask the next one.
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return undefined;
  }
}

async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
    for (let sent = 0; sent < n;) sent += await to.write(buffer.subarray(sent, n));
  }
  await to.closeWrite();
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed already.
  }
}
