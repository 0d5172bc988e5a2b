import assert from "node:assert/strict";
import { join } from "node:path";
import { platformName, platforms } from "../ffi/platforms.ts";
import { temporaryFolder } from "./opening.ts";

/** Serves the package's files. Of the libraries, all but the one that is expected fail when they run. */
function serveFiles(): { origin: string } & AsyncDisposable {
  const root = new URL("..", import.meta.url);
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
  const headers = { "content-type": "text/typescript" };
  const server = Deno.serve(options, async ({ url }) => {
    const { pathname } = new URL(url);
    if (
      pathname.startsWith("/ffi/prebuilt/") &&
      !pathname.endsWith(`/${platforms[platformName()].module}.ts`)
    ) {
      return new Response('throw new Error("another platform\'s library runs");', { headers });
    }
    const file = await Deno.open(new URL(`.${pathname}`, root)).catch(() => undefined);
    if (file === undefined) return new Response("not there", { status: 404 });
    return new Response(file.readable, { headers });
  });
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A program that counts in a store and tells what is there. */
function program(module: string, filename: string): string {
  return `data:text/javascript,${
    encodeURIComponent(`
      const { FastMmap, PrometheusTinyShared } = await import(${JSON.stringify(module)});
      using prom = new PrometheusTinyShared({ filename: ${JSON.stringify(filename)} });
      const shareFile = ${JSON.stringify(`${filename}-cache`)};
      using cache = new FastMmap({ shareFile, unlinkOnExit: false });
      prom.inc("imported_total");
      const who = cache.get("who") ?? [];
      cache.set("who", [...who, Deno.args[0]]);
      console.log(JSON.stringify([prom.format().includes("imported_total 2"), cache.get("who")]));
    `)
  }`;
}

interface Run {
  module: string;
  filename: string;
  name: string;
  env: Record<string, string>;
  flags?: string[];
}

async function run({ module, filename, name, env, flags = [] }: Run): Promise<unknown> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-config", "--no-lock", "--no-check", "--allow-all", ...flags],
      program(module, filename),
      name,
    ],
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  const output = decoder.decode(stdout).trim();
  assert.notEqual(output, "", decoder.decode(stderr));
  return JSON.parse(output);
}

Deno.test("what is imported over http shares its store with what is imported from disk", async () => {
  using temporary = temporaryFolder();
  const filename = join(temporary.path, "store");
  const place = (name: string) => join(temporary.path, name);
  await using server = serveFiles();
  const remote = await run({
    module: `${server.origin}/mod.ts`,
    filename,
    name: "http",
    // Nothing is there yet: neither Deno's cache nor the library.
    env: { DENO_DIR: place("deno"), PROMETHEUS_TINY_SHARED_DIR: place("library") },
  });
  assert.deepEqual(remote, [false, ["http"]]);
  const local = await run({
    module: import.meta.resolve("../mod.ts"),
    filename,
    name: "disk",
    env: { PROMETHEUS_TINY_SHARED_DIR: place("library") },
  });
  assert.deepEqual(local, [true, ["http", "disk"]]);
  // One library for both, of one version.
  assert.equal([...Deno.readDirSync(place("library"))].length, 1);
});

Deno.test("what was imported once works without the server", async () => {
  using temporary = temporaryFolder();
  const filename = join(temporary.path, "store");
  const env = {
    DENO_DIR: join(temporary.path, "deno"),
    PROMETHEUS_TINY_SHARED_DIR: join(temporary.path, "library"),
  };
  let module: string;
  {
    await using server = serveFiles();
    module = `${server.origin}/mod.ts`;
    assert.deepEqual(await run({ module, filename, name: "http", env }), [false, ["http"]]);
  }
  const again = await run({ module, filename, name: "again", env, flags: ["--cached-only"] });
  assert.deepEqual(again, [true, ["http", "again"]]);
});
