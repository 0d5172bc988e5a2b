// Addresses and the choice of a port.

/**
 * Joins host and port; an IPv6 address gets its brackets.
 *
 * @param hostname a name or address
 * @param port a port
 */
export function address(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/**
 * The URL under which a listener is reached from this machine.
 *
 * @param hostname the address that is listened on
 * @param port the port
 */
export function baseUrl(hostname: string, port: number): string {
  const reachable = { "0.0.0.0": "127.0.0.1", "::": "::1" }[hostname] ?? hostname;
  return `http://${address(reachable, port)}`;
}

/**
 * Listens, or says clearly why that cannot be.
 *
 * @param hostname the address to listen on
 * @param port the port; 0 picks a free one
 * @throws {Error} when the port is taken, forbidden, or the address is not this machine's
 */
export function listen(hostname: string, port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port });
  } catch (error) {
    throw new Error(`cannot listen on ${address(hostname, port)}: ${explain(error, hostname)}`, {
      cause: error,
    });
  }
}

/**
 * Finds the port for workers that will share it. They could all join a port that somebody else
 * shares already, so it is first taken alone.
 *
 * @param hostname the address to listen on
 * @param port the wanted port; 0 picks a free one
 */
export function choosePort(hostname: string, port: number): number {
  using listener = listen(hostname, port);
  return listener.addr.port;
}

function explain(error: unknown, hostname: string): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return "the port is taken by another program; choose another with --port N, " +
      "or any free one with --port 0";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return `this machine has no address ${hostname}; choose one with --hostname H`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "the system does not allow it to this user; choose a port above 1023 with --port N";
  }
  return error instanceof Error ? error.message : String(error);
}
