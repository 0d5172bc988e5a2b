import assert from "node:assert/strict";
import { join } from "node:path";
import { pinnedZigVersion } from "../tools/zig.ts";
import { temporaryFolder } from "./opening.ts";

const version = pinnedZigVersion();

/** A checkout with only what tools/zig.ts needs, and a folder `bin` that alone is on its PATH. */
class Checkout implements Disposable {
  readonly #temporary = temporaryFolder();
  readonly path = this.#temporary.path;
  readonly bin = join(this.path, "bin");

  constructor() {
    for (const folder of ["tools", "bin"]) Deno.mkdirSync(join(this.path, folder));
    for (const file of ["build.zig.zon", "tools/zig.ts", "tools/lock.ts"]) {
      Deno.copyFileSync(new URL(`../${file}`, import.meta.url), join(this.path, file));
    }
  }

  /** A program on the checkout's PATH. */
  addProgram(name: string, script: string): string {
    const path = join(this.bin, name);
    Deno.writeTextFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return path;
  }

  async findZig(env: Record<string, string> = {}): Promise<{ path: string; errors: string }> {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", join(this.path, "tools", "zig.ts")],
      env: { PATH: this.bin, HOME: this.path, NO_COLOR: "1", ...env },
      clearEnv: true,
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { path: decoder.decode(stdout).trim(), errors: decoder.decode(stderr).trim() };
  }

  [Symbol.dispose](): void {
    this.#temporary[Symbol.dispose]();
  }
}

function test(name: string, fn: (checkout: Checkout) => Promise<void>): void {
  Deno.test({
    name,
    ignore: Deno.build.os === "windows", // The programs are shell scripts.
    async fn() {
      using checkout = new Checkout();
      await fn(checkout);
    },
  });
}

/** A pip that installs a zig of this version, slowly, and counts its installations. */
function fakePip(zigVersion: string): string {
  return `export PATH=/usr/bin:/bin
case "$*" in *--version*) echo pip 1.0; exit;; esac
echo "$*" >> "$HOME/installations"
while [ "$1" != --target ]; do shift; done
sleep 0.2; mkdir -p "$2/ziglang"
printf '#!/bin/sh\\necho ${zigVersion}\\n' > "$2/ziglang/zig"
chmod +x "$2/ziglang/zig"`;
}

test("findZig() takes the one that ZIG names", async (checkout) => {
  const path = checkout.addProgram("my-zig", `echo ${version}`);
  assert.deepEqual(await checkout.findZig({ ZIG: path }), { path, errors: "" });
});

test("findZig() refuses another version in ZIG", async (checkout) => {
  const path = checkout.addProgram("my-zig", "echo 0.1.1");
  const { errors } = await checkout.findZig({ ZIG: path });
  assert.equal(
    errors,
    `error: ZIG=${path} is Zig 0.1.1, but this project is built with exactly ${version}: ` +
      `point ZIG at that version, or unset it to have it fetched`,
  );
});

test("findZig() refuses a ZIG that does not run", async (checkout) => {
  const { errors } = await checkout.findZig({ ZIG: "/nowhere/zig" });
  assert(errors.startsWith("error: ZIG=/nowhere/zig does not run, but"), errors);
});

test("findZig() takes zig from PATH at the pinned version", async (checkout) => {
  checkout.addProgram("zig", `echo ${version}`);
  assert.deepEqual(await checkout.findZig(), { path: "zig", errors: "" });
});

test("findZig() says what to install when there is neither zig nor pip", async (checkout) => {
  const { errors } = await checkout.findZig();
  assert(errors.startsWith(`error: Zig ${version} builds the native library, and it is`), errors);
  assert.match(errors, /apt install python3-pip/);
  assert.match(errors, /https:\/\/ziglang\.org\/download/);
});

test("findZig() fetches it once with pip when PATH has another version", async (checkout) => {
  checkout.addProgram("zig", "echo 0.1.1");
  checkout.addProgram("pip", fakePip(version));
  const expected = join(checkout.path, ".zig", version, "ziglang", "zig");
  const { path, errors } = await checkout.findZig();
  assert.equal(path, expected);
  assert.match(errors, /^Fetching Zig \S+ with pip \(about \d+ MB, once\) \.\.\.$/);
  assert.deepEqual(await checkout.findZig(), { path: expected, errors: "" });
  const installations = Deno.readTextFileSync(join(checkout.path, "installations"));
  assert.match(installations, new RegExp(`^install --target \\S+ .*ziglang==${version}\n$`));
});

test("findZig() fetched by several at once succeeds in all", async (checkout) => {
  checkout.addProgram("pip3", fakePip(version));
  const results = await Promise.all([1, 2, 3].map(() => checkout.findZig()));
  const expected = join(checkout.path, ".zig", version, "ziglang", "zig");
  assert.deepEqual(results.map(({ path }) => path), [expected, expected, expected]);
  const left = [...Deno.readDirSync(join(checkout.path, ".zig"))].map(({ name }) => name);
  assert.deepEqual(left.sort(), [version, "fetch.lock"]);
  const installations = Deno.readTextFileSync(join(checkout.path, "installations"));
  assert.equal(installations.trim().split("\n").length, 1);
});

test("findZig() leaves nothing behind when pip fails", async (checkout) => {
  checkout.addProgram("pip", `case "$*" in *--version*) exit;; esac; echo no network >&2; exit 1`);
  const { errors } = await checkout.findZig();
  assert.match(errors, /no network\nerror: pip could not install ziglang==/);
  const left = [...Deno.readDirSync(join(checkout.path, ".zig"))].map(({ name }) => name);
  assert.deepEqual(left, ["fetch.lock"]);
});

test("findZig() says so when what pip installed does not run", async (checkout) => {
  checkout.addProgram("pip", fakePip("0.1.1"));
  const { errors } = await checkout.findZig();
  assert.match(errors, /error: pip installed ziglang \S+, but \S+ says it is 0\.1\.1: install Zig/);
});
