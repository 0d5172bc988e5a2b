import assert from "node:assert/strict";
import { join } from "node:path";
import { firstFlags, open, opened, temporaryFolder } from "./opening.ts";

const isWindows = Deno.build.os === "windows";

Deno.test("openLibrary() needs --allow-ffi and one folder, to write only the first time", async () => {
  using temporary = temporaryFolder();
  const folder = join(temporary.path, "library");
  const env = { PROMETHEUS_TINY_SHARED_DIR: folder };
  assert.equal(await open({ env, flags: firstFlags(folder) }), opened);
  assert.equal(await open({ env, flags: ["--allow-ffi", `--allow-read=${folder}`] }), opened);
});

Deno.test("openLibrary() can do with a folder for --allow-ffi when it may read the environment", async () => {
  using temporary = temporaryFolder();
  const folder = join(temporary.path, "library");
  const output = await open({
    env: { PROMETHEUS_TINY_SHARED_DIR: folder },
    flags: [
      ...firstFlags(folder).slice(1),
      `--allow-ffi=${folder}`,
      "--allow-env=PROMETHEUS_TINY_SHARED_DIR,PROMETHEUS_TINY_LIBRARY,XDG_CACHE_HOME,HOME,LOCALAPPDATA",
      "--allow-sys=uid",
    ],
  });
  assert.equal(output, opened);
});

Deno.test("openLibrary() names every flag when there is no permission", async () => {
  const output = await open({});
  assert.match(output, /^PERMISSION: Deno has no permission to call the native library: add /);
  const folder = {
    windows: String.raw`%LOCALAPPDATA%\prometheus-tiny-shared`,
    darwin: "$HOME/Library/Caches/prometheus-tiny-shared",
  }[Deno.build.os as string] ?? "${XDG_CACHE_HOME:-$HOME/.cache}/prometheus-tiny-shared";
  assert(output.includes(`--allow-ffi "--allow-read=${folder}" "--allow-write=${folder}"`), output);
});

for (const denied of ["", "--no-prompt", "--deny-read"]) {
  Deno.test(`openLibrary() names the folder's flags with --allow-ffi ${denied}`, async () => {
    using temporary = temporaryFolder();
    const output = await open({
      env: { PROMETHEUS_TINY_SHARED_DIR: temporary.path },
      flags: ["--allow-ffi", denied].filter((flag) => flag !== ""),
    });
    assert.equal(
      output,
      `PERMISSION: Deno has no permission to load the native library from ${temporary.path}: ` +
        `add --allow-read=${temporary.path} --allow-write=${temporary.path} to deno run ` +
        `(writing is only needed the first time)`,
    );
  });
}

Deno.test("openLibrary() names --allow-write alone when only that is missing", async () => {
  using temporary = temporaryFolder();
  const output = await open({
    env: { PROMETHEUS_TINY_SHARED_DIR: temporary.path },
    flags: firstFlags(temporary.path).slice(0, 2),
  });
  assert(output.startsWith("PERMISSION: "), output);
  assert(output.includes(`: add --allow-write=${temporary.path} to deno run`), output);
});

for (
  const [name, pattern] of [
    ["a folder with spaces", /"(--allow-(?:read|write)=[^"]*)"/g],
    ["a,comma", /(--allow-(?:read|write))(?= )/g], // Deno cannot be given a path with a comma.
  ] as const
) {
  Deno.test(`openLibrary() names flags that work for ${name}`, async () => {
    using temporary = temporaryFolder();
    const env = { PROMETHEUS_TINY_SHARED_DIR: join(temporary.path, name) };
    const output = await open({ env, flags: ["--allow-ffi"] });
    const flags = [...output.matchAll(pattern)].map(([, flag]) => flag);
    assert.equal(flags.length, 2, output);
    assert.equal(await open({ env, flags: ["--allow-ffi", ...flags] }), opened);
  });
}

Deno.test({
  name: "openLibrary() says which flag tells it the user where --allow-ffi has a folder",
  ignore: isWindows || Deno.uid() === 0,
  async fn() {
    using temporary = temporaryFolder();
    const folder = join(temporary.path, "library");
    const output = await open({
      env: { PROMETHEUS_TINY_SHARED_DIR: folder },
      flags: [...firstFlags(folder).slice(1), `--allow-ffi=${folder}`, "--allow-env"],
    });
    assert.match(output, /^PERMISSION: .* add --allow-ffi or --allow-sys=uid to deno run$/);
  },
});
