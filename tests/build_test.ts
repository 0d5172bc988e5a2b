import assert from "node:assert/strict";
import { join } from "node:path";
import { decodeBase91 } from "../ffi/base91.ts";
import { platformName, platforms } from "../ffi/platforms.ts";
import { pinnedZigVersion } from "../tools/zig.ts";
import { temporaryFolder } from "./opening.ts";

const modules = [...new Set(Object.values(platforms).map(({ module }) => module))].sort();
const hostModule = platforms[platformName()].module;
const hostParts = Object.keys(platforms).filter((name) => platforms[name].module === hostModule);

/** A checkout with one source, and a zig that only writes down how it was called. */
class Checkout implements Disposable {
  readonly #temporary = temporaryFolder();
  readonly path = this.#temporary.path;
  readonly #zig = join(this.path, "zig");

  constructor() {
    for (const folder of ["tools", "ffi", "csrc"]) Deno.mkdirSync(join(this.path, folder));
    const files = [
      "tools/zig.ts",
      "tools/lock.ts",
      "tools/build.ts",
      "tools/checker.ts",
      "ffi/platforms.ts",
      "ffi/base91.ts",
    ];
    for (const file of ["build.zig", "build.zig.zon", ...files]) {
      Deno.copyFileSync(new URL(`../${file}`, import.meta.url), join(this.path, file));
    }
    this.write("csrc/one.c", "int one;\n");
    Deno.writeTextFileSync(this.#zig, this.#fakeZig(), { mode: 0o755 });
  }

  #fakeZig(): string {
    const libraries = Object.entries(platforms)
      .map(([name, { fileName }]) =>
        `mkdir -p zig-out/lib/${name}
cat csrc/*.c > zig-out/lib/${name}/${fileName}`
      );
    return `#!/bin/sh
[ "$1" = version ] && echo ${pinnedZigVersion()} && exit
echo "$*" >> calls
[ -e broken ] && exit 1
${libraries.join("\n")}\n`;
  }

  write(file: string, text: string): void {
    Deno.writeTextFileSync(join(this.path, file), text);
  }

  async build(...args: string[]): Promise<{ success: boolean; errors: string }> {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", join(this.path, "tools", "build.ts"), ...args],
      env: { ZIG: this.#zig, NO_COLOR: "1" },
      stdin: "null",
    }).output();
    return { success, errors: new TextDecoder().decode(stderr).trim() };
  }

  /** How zig was called so far, one call an element. */
  get calls(): string[] {
    return Deno.readTextFileSync(join(this.path, "calls")).trim().split("\n");
  }

  /** The modules that have libraries, and not only the stub for types. */
  get built(): string[] {
    const folder = join(this.path, "ffi", "prebuilt");
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name.slice(0, -".ts".length));
    assert.deepEqual(names.sort(), modules);
    return names.filter((name) =>
      Deno.readTextFileSync(join(folder, `${name}.ts`)).includes("sha256")
    );
  }

  [Symbol.dispose](): void {
    this.#temporary[Symbol.dispose]();
  }
}

function test(name: string, fn: (checkout: Checkout) => Promise<void>): void {
  Deno.test({
    name,
    ignore: Deno.build.os === "windows", // The zig is a shell script.
    async fn() {
      using checkout = new Checkout();
      await fn(checkout);
    },
  });
}

test("build makes this machine's module, and stubs for the others", async (checkout) => {
  const { success, errors } = await checkout.build();
  assert(success, errors);
  assert.deepEqual(checkout.calls, [`build ${hostParts.join(" ")}`]);
  assert.deepEqual(checkout.built, [hostModule]);
});

test("build does nothing when nothing has changed", async (checkout) => {
  await checkout.build();
  assert.deepEqual(await checkout.build(), { success: true, errors: "" });
  assert.equal(checkout.calls.length, 1);
});

for (const file of ["csrc/one.c", "csrc/two.h", "build.zig", "tools/build.ts"]) {
  test(`build builds again after a change of ${file}`, async (checkout) => {
    await checkout.build();
    const path = join(checkout.path, file);
    Deno.writeTextFileSync(path, "// changed\n", { append: true });
    const { success, errors } = await checkout.build();
    assert(success, errors);
    assert.equal(checkout.calls.length, 2);
  });
}

test("build --all makes every platform's module", async (checkout) => {
  const { success, errors } = await checkout.build("--all");
  assert(success, errors);
  assert.deepEqual(checkout.calls, ["build libs"]);
  assert.deepEqual(checkout.built, modules);
});

test("build started several times at once builds once", async (checkout) => {
  const results = await Promise.all([1, 2, 3, 4].map(() => checkout.build()));
  assert.deepEqual(results.map(({ success }) => success), [true, true, true, true]);
  assert.equal(checkout.calls.length, 1);
});

test("build fails when zig fails, and tries again the next time", async (checkout) => {
  checkout.write("broken", "");
  const { success, errors } = await checkout.build();
  assert(!success);
  assert.match(errors, /error: zig build \w.* failed: its messages are above$/);
  Deno.removeSync(join(checkout.path, "broken"));
  assert((await checkout.build()).success);
});

test("build refuses an argument it does not know", async (checkout) => {
  const { success, errors } = await checkout.build("--al");
  assert(!success);
  assert.equal(errors, "error: unknown argument --al; usage: deno task build [--all] [--checker]");
});

Deno.test("the modules hold the libraries that their hash and size tell", async (t) => {
  const { createHash } = await import("node:crypto");
  const { brotliDecompressSync } = await import("node:zlib");
  for (const [name, platform] of Object.entries(platforms)) {
    const prebuilt = await platform.load();
    if (prebuilt === null) {
      assert.notEqual(name, platformName());
      continue;
    }
    await t.step(name, () => {
      const all = brotliDecompressSync(decodeBase91(prebuilt.brotli));
      const bytes = all.subarray(prebuilt.offset, prebuilt.offset + prebuilt.size);
      assert.equal(bytes.length, prebuilt.size);
      assert.equal(createHash("sha256").update(bytes).digest("hex"), prebuilt.sha256);
    });
  }
});
