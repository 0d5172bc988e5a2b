/**
 * Fetches what the benchmarks compare with: `deno task bench:peers`.
 *
 * prom-client goes into Deno's own cache; client_python and, where they are not installed already,
 * Debian's Perl packages go into bench/.peers, so that nothing of the machine changes.
 *
 * @module
 */

import { join } from "node:path";
import { peersFolder } from "../paths.ts";
import { Perl, type PerlModule } from "./perl.ts";
import { promClientVersion } from "./prom_client.ts";
import { pythonClientVersion, pythonFolder } from "./python.ts";

const debianPackages: Record<PerlModule, string> = {
  "Prometheus::Tiny": "libprometheus-tiny-perl",
  "Prometheus::Tiny::Shared": "libprometheus-tiny-shared-perl",
  "Cache::FastMmap": "libcache-fastmmap-perl",
};

async function run(command: string, args: string[], cwd?: string): Promise<string> {
  const { success, stdout } = await new Deno.Command(command, {
    args,
    cwd,
    stdout: "piped",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${[command, ...args].join(" ")} failed`);
  return new TextDecoder().decode(stdout);
}

async function installPromClient(): Promise<void> {
  await run(Deno.execPath(), ["cache", "--no-lock", `npm:prom-client@${promClientVersion}`]);
}

async function installPythonClient(): Promise<void> {
  await run("python3", [
    ...["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--upgrade"],
    ...["--target", pythonFolder, `prometheus-client==${pythonClientVersion}`],
  ]);
}

async function isMissing(module: PerlModule): Promise<boolean> {
  await using perl = await Perl.start(module);
  return perl === undefined;
}

/** Unpacks packages and what they need into a folder; needs apt, but nobody's permission. */
async function unpackPerl(): Promise<void> {
  const modules = Object.keys(debianPackages) as PerlModule[];
  const missing: string[] = [];
  for (const module of modules) if (await isMissing(module)) missing.push(debianPackages[module]);
  if (missing.length === 0) return;
  const listed = await run("apt-get", [
    ...["install", "--print-uris", "--no-install-recommends", "-qq", ...missing],
  ]);
  // 'uri' name_version_architecture.deb size hash
  const names = [...listed.matchAll(/^'[^']*' ([^_\s]+)_/gm)].map(([, name]) => name);
  const folder = join(peersFolder, "debian");
  await Deno.mkdir(folder, { recursive: true });
  await run("apt-get", ["download", "-qq", ...names], folder);
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".deb")) await run("dpkg-deb", ["-x", name, "."], folder);
  }
  for (const module of modules) {
    if (await isMissing(module)) throw new Error(`${module} does not load from ${folder}`);
  }
}

if (import.meta.main) {
  const parts: Record<string, () => Promise<void>> = {
    [`prom-client ${promClientVersion} (npm)`]: installPromClient,
    [`prometheus-client ${pythonClientVersion} (PyPI)`]: installPythonClient,
    "Prometheus::Tiny, ::Shared and Cache::FastMmap (Debian)": unpackPerl,
  };
  let failed = 0;
  for (const [name, install] of Object.entries(parts)) {
    console.error(`Fetching ${name} ...`);
    await install().catch((error) => {
      console.error(`  not available: ${(error as Error).message}`);
      failed++;
    });
  }
  console.error(
    failed === 0
      ? "All peers are here: deno task bench"
      : `${failed} not available; deno task bench runs without`,
  );
}
