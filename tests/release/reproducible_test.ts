import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { platforms } from "../../ffi/platforms.ts";
import { findZig } from "../../tools/zig.ts";
import { temporaryFolder } from "../opening.ts";

const root = dirname(dirname(import.meta.dirname!));

/** Builds every library from nothing but the sources, in another folder. */
async function buildElsewhere(folder: string): Promise<void> {
  for (const file of ["build.zig", "build.zig.zon"]) {
    Deno.copyFileSync(join(root, file), join(folder, file));
  }
  Deno.mkdirSync(join(folder, "csrc"));
  for (const { name } of Deno.readDirSync(join(root, "csrc"))) {
    Deno.copyFileSync(join(root, "csrc", name), join(folder, "csrc", name));
  }
  const caches = {
    ZIG_GLOBAL_CACHE_DIR: join(folder, "c"),
    ZIG_LOCAL_CACHE_DIR: join(folder, "l"),
  };
  const { success, stderr } = await new Deno.Command(await findZig(), {
    args: ["build", "libs"],
    cwd: folder,
    env: { ...caches, ZIG_PROGRESS: "" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}

Deno.test("another clean build in another folder makes the same bytes for every platform", async () => {
  using temporary = temporaryFolder();
  const folder = join(temporary.path, "a folder with another and much longer name");
  Deno.mkdirSync(folder);
  await buildElsewhere(folder);
  const hashes: Record<string, string> = {}, expected: Record<string, string | undefined> = {};
  for (const [name, platform] of Object.entries(platforms)) {
    const bytes = Deno.readFileSync(join(folder, "zig-out", "lib", name, platform.fileName));
    hashes[name] = createHash("sha256").update(bytes).digest("hex");
    expected[name] = (await platform.load())?.sha256;
  }
  assert.deepEqual(hashes, expected);
});
