import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { platformName, platforms } from "../ffi/platforms.ts";
import { isEmulated } from "./emulated.ts";
import { canMount, mountReason, withMounts } from "./mounting.ts";
import { firstFlags, open, opened, type Opening, temporaryFolder } from "./opening.ts";

const isWindows = Deno.build.os === "windows";

/** How many start at once; an emulated one takes seconds of the processor. */
const processes = isEmulated ? 5 : 32;

/** Opens the library from this folder, with exactly the permissions that takes. */
function openIn(folder: string, opening: Opening = {}): Promise<string> {
  return open({
    ...opening,
    env: { PROMETHEUS_TINY_SHARED_DIR: folder, ...opening.env },
    flags: [...firstFlags(folder), ...opening.flags ?? []],
  });
}

function dataModule(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name);
}

Deno.test("openLibrary() makes a private folder with one file named by its hash", async () => {
  using temporary = temporaryFolder();
  const folder = join(temporary.path, "not", "there", "yet");
  assert.equal(await openIn(folder), opened);
  const prebuilt = await platforms[platformName()].load();
  assert.equal(names(folder).length, 1);
  assert(names(folder)[0].includes(prebuilt!.sha256.slice(0, 32)), names(folder)[0]);
  if (!isWindows) assert.equal(Deno.statSync(folder).mode! & 0o777, 0o700);
});

Deno.test("openLibrary() uses the user's cache folder by default", async (t) => {
  const homes: Record<string, Record<string, string>> = {
    windows: { LOCALAPPDATA: "" },
    darwin: { HOME: "Library/Caches" },
    linux: { XDG_CACHE_HOME: "", HOME: ".cache" },
  };
  for (const [name, below] of Object.entries(homes[Deno.build.os])) {
    await t.step(name, async () => {
      using temporary = temporaryFolder();
      const folder = join(temporary.path, below, "prometheus-tiny-shared");
      const env = { [name]: temporary.path };
      assert.equal(await open({ env, flags: firstFlags(folder) }), opened);
      assert.equal(names(folder).length, 1);
    });
  }
});

Deno.test({
  name: "openLibrary() ignores a relative XDG_CACHE_HOME",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using temporary = temporaryFolder();
    const folder = join(temporary.path, ".cache", "prometheus-tiny-shared");
    const env = { XDG_CACHE_HOME: "cache", HOME: temporary.path };
    assert.equal(await open({ env, flags: firstFlags(folder) }), opened);
  },
});

Deno.test("openLibrary() says what to set when there is no cache folder", async () => {
  const output = await open({ flags: ["--allow-ffi"] });
  assert.match(output, /^LIBRARY: the user has no cache folder .* set PROMETHEUS_TINY_SHARED_DIR /);
});

Deno.test("openLibrary() refuses a relative PROMETHEUS_TINY_SHARED_DIR", async () => {
  assert.equal(
    await openIn("somewhere"),
    "LIBRARY: PROMETHEUS_TINY_SHARED_DIR=somewhere is not an absolute path: make it one",
  );
});

for (
  const [what, damage] of Object.entries({
    "an emptied": () => new Uint8Array(),
    "a truncated": (bytes: Uint8Array) => bytes.subarray(0, bytes.length / 2),
    "a changed": (bytes: Uint8Array) => bytes.with(bytes.length / 2, bytes[bytes.length / 2] ^ 1),
  })
) {
  Deno.test(`openLibrary() replaces ${what} library`, async () => {
    using temporary = temporaryFolder();
    assert.equal(await openIn(temporary.path), opened);
    const path = join(temporary.path, names(temporary.path)[0]);
    const whole = Deno.readFileSync(path);
    Deno.writeFileSync(path, damage(whole));
    assert.equal(await openIn(temporary.path), opened);
    assert.deepEqual(Deno.readFileSync(path), whole);
    assert.equal(names(temporary.path).length, 1);
  });
}

Deno.test("openLibrary() succeeds in every process that starts at once", async () => {
  using temporary = temporaryFolder();
  const folder = join(temporary.path, "library");
  const outputs = await Promise.all(Array.from({ length: processes }, () => openIn(folder)));
  assert.deepEqual(outputs, Array(processes).fill(opened));
  assert.equal(names(folder).length, 1);
});

Deno.test("openLibrary() succeeds in every thread that starts at once", async () => {
  using temporary = temporaryFolder();
  const folder = join(temporary.path, "library");
  // A worker lives until it is told to end.
  const worker = dataModule(
    `await import(${JSON.stringify(import.meta.resolve("./open_library.ts"))}); self.close();`,
  );
  const module = dataModule(
    `for (let i = 0; i < 8; i++) new Worker(${JSON.stringify(worker)}, { type: "module" });`,
  );
  const sources = fileURLToPath(new URL("..", import.meta.url));
  const output = await openIn(folder, { module, flags: [`--allow-read=${sources}`] });
  assert.deepEqual(output.split("\n"), Array(8).fill(opened));
  assert.equal(names(folder).length, 1);
});

for (
  const [what, why, prepare] of [
    ["a symbolic link", "is a symbolic link", (path: string) => Deno.symlinkSync(Deno.cwd(), path)],
    ["a file", "is not a folder", (path: string) => Deno.writeTextFileSync(path, "")],
    ["a folder that others may write", "can be written by other users", (path: string) => {
      Deno.mkdirSync(path);
      Deno.chmodSync(path, 0o777);
    }],
    ["another user's folder", "belongs to another user", (path: string) => {
      Deno.mkdirSync(path);
      Deno.chownSync(path, 65534, null);
    }],
  ] as const
) {
  Deno.test({
    name: `openLibrary() refuses ${what}`,
    ignore: isWindows || (what === "another user's folder" && Deno.uid() !== 0),
    async fn() {
      using temporary = temporaryFolder();
      const folder = join(temporary.path, "library");
      prepare(folder);
      const output = await openIn(folder);
      assert(
        output.startsWith(`LIBRARY: the folder ${folder} for the native library ${why}`),
        output,
      );
      assert(output.includes("set PROMETHEUS_TINY_SHARED_DIR to another folder"), output);
    },
  });
}

Deno.test("openLibrary() says so when the folder cannot be made", async () => {
  using temporary = temporaryFolder();
  const file = join(temporary.path, "file");
  Deno.writeTextFileSync(file, "");
  const output = await openIn(join(file, "library"));
  assert(output.startsWith(`LIBRARY: cannot unpack the native library into ${file}`), output);
  assert.match(output, /set PROMETHEUS_TINY_SHARED_DIR to a folder that this user can write and /);
});

/** An import map that puts another module in the place of this platform's library. */
function replacePrebuilt(folder: string, source: string): string[] {
  const map = join(folder, "import_map.json");
  const replaced = import.meta.resolve(`../ffi/prebuilt/${platforms[platformName()].module}.ts`);
  Deno.writeTextFileSync(map, JSON.stringify({ imports: { [replaced]: dataModule(source) } }));
  return [`--import-map=${map}`];
}

Deno.test("openLibrary() says how to build a library that is not there", async () => {
  using temporary = temporaryFolder();
  const flags = replacePrebuilt(temporary.path, `export const ${platformName()} = null;`);
  const output = await openIn(temporary.path, { flags });
  assert(
    output.startsWith(`LIBRARY: the native library for ${platformName()} is not part`),
    output,
  );
  assert.match(output, /run `deno task build` first$/);
});

Deno.test("openLibrary() does not unpack a library whose hash is wrong", async () => {
  using temporary = temporaryFolder();
  const prebuilt = await platforms[platformName()].load();
  const flags = replacePrebuilt(
    temporary.path,
    `export const ${platformName()} = ${JSON.stringify({ ...prebuilt, sha256: "0".repeat(64) })};`,
  );
  const folder = join(temporary.path, "library");
  const output = await openIn(folder, { flags });
  assert.match(output, /^LIBRARY: .* does not have its SHA-256 0{64}: the package is damaged/);
  assert.throws(() => Deno.lstatSync(folder), Deno.errors.NotFound);
});

Deno.test("openLibrary() lists the supported platforms where there is no library", async () => {
  using temporary = temporaryFolder();
  const module = dataModule(`
    const build = { ...Deno.build, os: "freebsd", arch: "riscv64" };
    Object.defineProperty(globalThis, "Deno", { value: { ...Deno, build } });
    await import(${JSON.stringify(import.meta.resolve("./open_library.ts"))});`);
  const output = await openIn(temporary.path, { module });
  assert.equal(
    output,
    "PLATFORM: there is no native library for freebsd_riscv64; supported are linux_x86_64, " +
      "linux_aarch64, linux_musl_x86_64, linux_musl_aarch64, macos_x86_64, macos_aarch64, " +
      "windows_x86_64, windows_aarch64. If you have built one from the sources (csrc), set " +
      "PROMETHEUS_TINY_LIBRARY to its path",
  );
});

Deno.test("openLibrary() asks for musl's library where Deno was built for musl", async () => {
  using temporary = temporaryFolder();
  const module = dataModule(`
    const build = { ...Deno.build, os: "linux", arch: "aarch64", target: "aarch64-alpine-linux-musl" };
    Object.defineProperty(globalThis, "Deno", { value: { ...Deno, build } });
    const { platformName } = await import(${
    JSON.stringify(import.meta.resolve("../ffi/platforms.ts"))
  });
    console.log(platformName());`);
  assert.equal(await openIn(temporary.path, { module }), "linux_musl_aarch64");
});

/** The library as openLibrary() unpacks it. */
async function unpacked(folder: string): Promise<string> {
  assert.equal(await openIn(folder), opened);
  return join(folder, names(folder)[0]);
}

Deno.test("openLibrary() opens the file that PROMETHEUS_TINY_LIBRARY names, and unpacks nothing", async () => {
  using temporary = temporaryFolder();
  const file = join(temporary.path, "own");
  Deno.renameSync(await unpacked(join(temporary.path, "first")), file);
  const folder = join(temporary.path, "second");
  const env = { PROMETHEUS_TINY_LIBRARY: file, PROMETHEUS_TINY_SHARED_DIR: folder };
  assert.equal(await open({ env, flags: ["--allow-ffi"] }), opened);
  assert.throws(() => Deno.lstatSync(folder), Deno.errors.NotFound);
});

Deno.test("openLibrary() says that PROMETHEUS_TINY_LIBRARY names no library", async () => {
  using temporary = temporaryFolder();
  const file = join(temporary.path, "not there");
  const opening = { flags: ["--allow-ffi"] };
  const output = await open({ ...opening, env: { PROMETHEUS_TINY_LIBRARY: file } });
  assert(output.startsWith(`LIBRARY: cannot load the native library ${file}: `), output);
  assert.match(output, /PROMETHEUS_TINY_LIBRARY names it: set that to .* or unset it /);
  assert.equal(
    await open({ ...opening, env: { PROMETHEUS_TINY_LIBRARY: "own.so" } }),
    "LIBRARY: PROMETHEUS_TINY_LIBRARY=own.so is not an absolute path: make it one",
  );
});

/** The command that opens the library. */
const openModule = [
  ...[Deno.execPath(), "run", "--quiet", "--allow-all"],
  fileURLToPath(import.meta.resolve("./open_library.ts")),
];

for (
  const [what, mount, expected] of [
    [
      "is mounted noexec",
      "-o noexec",
      /^LIBRARY: cannot load .* mounted noexec: set PROMETHEUS_TINY_SHARED_DIR to a folder elsewhere$/,
    ],
    [
      "has no room",
      "-o size=16k",
      /^LIBRARY: cannot unpack .*No space left.*; set PROMETHEUS_TINY_SHARED_DIR to .* has room, or /,
    ],
    [
      "is read-only",
      "-o ro",
      /^LIBRARY: cannot unpack .*Read-only file system.*; set PROMETHEUS_TINY_SHARED_DIR to /,
    ],
  ] as const
) {
  Deno.test({
    name: `openLibrary() says what to do when its file system ${what}${mountReason}`,
    // QEMU reads a library into memory of its own, whatever its file system forbids.
    ignore: !canMount || (isEmulated && what === "is mounted noexec"),
    fn() {
      const lines = withMounts(
        `mount -t tmpfs ${mount} none "$0" || exit 1; ` +
          `PROMETHEUS_TINY_SHARED_DIR="$0/library" "$@"; ls -A "$0/library" 2> /dev/null | grep tmp`,
        openModule,
      );
      assert.match(lines.join("\n"), expected); // and grep found no temporary file
    },
  });
}
