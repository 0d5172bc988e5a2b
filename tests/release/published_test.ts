import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { platforms } from "../../ffi/platforms.ts";

const root = dirname(dirname(import.meta.dirname!));

/** What is published beside the modules of src and ffi, and why. */
const others = [
  "CHANGELOG.md", // what an update brings
  "LICENSE",
  "README.md", // the page of the registry
  "deno.json", // name, version, exports
];

const megabyte = 1_000_000;

interface Published {
  path: string;
  bytes: number;
}

/** What `deno publish` would upload, and all that it said. */
async function dryRun(): Promise<{ files: Published[]; text: string; success: boolean }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty"],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout) + decoder.decode(stderr);
  const files = [...text.matchAll(/^ +file:\/\/(\/\S+) \([\d.]+\w+\)$/gm)].map(([, path]) => ({
    path: path.slice(root.length + 1),
    bytes: Deno.statSync(path).size,
  }));
  return { files, text, success };
}

/** The modules in a folder: every one of them belongs to the package. */
function modules(folder: string): string[] {
  return [...Deno.readDirSync(join(root, folder))].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) return path === "ffi/prebuilt" ? [] : modules(path);
    return entry.name.endsWith(".ts") ? [path] : [];
  });
}

const published = await dryRun();

Deno.test("deno publish would publish, with no slow types and no warning", () => {
  assert(published.success, published.text);
  assert.doesNotMatch(published.text, /^(warning|error)|\bslow-types?\b|unanalyzable/im);
});

Deno.test("exactly the package's files are published", () => {
  const entries = Object.values(config.exports).map((path) => path.replace("./", ""));
  const expected = [
    ...others,
    ...entries,
    ...modules("src"),
    ...modules("ffi"),
    ...new Set(Object.values(platforms).map(({ module }) => `ffi/prebuilt/${module}.ts`)),
  ].sort();
  assert.deepEqual(
    published.files.map(({ path }) => path).sort(),
    expected,
    "the list of published files is wrong: a new module belongs into src or ffi, an entry into " +
      "exports of deno.json, another file into `others` of this test, anything else into " +
      "publish.exclude of deno.json",
  );
});

Deno.test("every export is an entry whose documentation says what it is", () => {
  for (const path of Object.values(config.exports)) {
    const text = Deno.readTextFileSync(join(root, path));
    assert.match(text, /^\/\*\*[\s\S]*?@module/, `${path} has no comment with @module at its top`);
  }
});

Deno.test("the package is smaller than a megabyte", () => {
  const total = published.files.reduce((sum, { bytes }) => sum + bytes, 0);
  assert(
    total < megabyte,
    `it has ${total} bytes; the largest: ` +
      [...published.files].sort((a, b) => b.bytes - a.bytes).slice(0, 12)
        .map(({ path, bytes }) => `${path} ${bytes}`).join(", "),
  );
});

Deno.test("the version has its section in the changelog, and is written nowhere else", () => {
  const { version } = config;
  const changelog = Deno.readTextFileSync(join(root, "CHANGELOG.md"));
  assert(
    changelog.includes(`\n## ${version}\n`),
    `CHANGELOG.md has no section "## ${version}", the version of deno.json`,
  );
  for (const { path } of published.files) {
    if (["CHANGELOG.md", "deno.json"].includes(path)) continue;
    if (path.startsWith("ffi/prebuilt/")) continue;
    assert(!Deno.readTextFileSync(join(root, path)).includes(`@${version}`), path);
  }
});
