// Files and folders that a store cannot be in: one StoreError each that says what, why and what to do,
// and whatever was there is as before.

import assert from "node:assert/strict";
import { chownSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FastMmap, PrometheusTinyShared, StoreError } from "../mod.ts";
import { canMount, denoRun, mountReason, output, withMounts } from "./mounting.ts";
import { temporaryFolder } from "./opening.ts";

const isWindows = Deno.build.os === "windows";
const isRoot = !isWindows && Deno.uid() === 0;
const nobody = 65534;

function storeError(code: string, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof StoreError, `${error}`);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

function open(filename: string, initFile = false): void {
  new PrometheusTinyShared({ filename, initFile }).close();
}

/** The bytes of a small store with something in it. */
function storeBytes(): Uint8Array {
  using folder = temporaryFolder();
  const filename = `${folder.path}/metrics`;
  const prom = new PrometheusTinyShared({
    filename,
    maxWorkers: 2,
    cacheArgs: { cacheSize: "64k" },
  });
  prom.inc("n_total");
  prom.close();
  return Deno.readFileSync(filename);
}

/** A store with some bytes of its header replaced. */
function patched(offset: number, bytes: number[]): Uint8Array {
  const store = storeBytes();
  store.set(bytes, offset);
  return store;
}

const text = new TextEncoder();
const notAStore = /^'.*metrics' is not a store: .*; give another path, or initFile to replace/;
const otherVersion =
  /format version 99, this library reads version \d+; use the library that made it/;

const files: [what: string, content: () => Uint8Array, code: string, message: RegExp][] = [
  ["a text", () => text.encode("# HELP a A.\n".repeat(99)), "NOT_A_STORE", notAStore],
  ["a long text", () => text.encode("x".repeat(1e6)), "NOT_A_STORE", notAStore],
  ["one byte", () => new Uint8Array(1), "NOT_A_STORE", /it is too short/],
  ["zeros", () => new Uint8Array(1e6), "NOT_A_STORE", notAStore],
  ["a store whose first byte is wrong", () => patched(0, [0]), "NOT_A_STORE", notAStore],
  ["a store of version 99", () => patched(8, [99, 0, 0, 0]), "VERSION", otherVersion],
  ["a store of another byte order", () => patched(12, [1, 2, 3, 4]), "NOT_A_STORE", /byte order/],
  ["a store of another layout", () => patched(16, [1, 2, 3]), "VERSION", /another layout/],
  ["a store that was never finished", () => patched(40, [0]), "NOT_A_STORE", /never finished/],
  ["half a store", () => storeBytes().slice(0, 200_000), "DAMAGED", /shortened.*initFile/],
];

for (const [what, content, code, message] of files) {
  Deno.test(`bad files: ${what} is ${code} and stays as it is, but gives way to initFile`, () => {
    using folder = temporaryFolder();
    const filename = `${folder.path}/metrics`;
    Deno.writeFileSync(filename, content(), { mode: 0o600 });
    const before = Deno.readFileSync(filename);
    for (let i = 0; i < 2; i++) assert.throws(() => open(filename), storeError(code, message));
    assert.deepEqual(Deno.readFileSync(filename), before);
    assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["metrics"]);
    open(filename, true);
    open(filename);
  });
}

Deno.test("bad files: a file of one store shortened under its users is an error, not the end", () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/metrics`;
  using prom = new PrometheusTinyShared({ filename });
  prom.inc("n_total");
  Deno.truncateSync(filename, Deno.statSync(filename).size - 100_000);
  assert.throws(() => open(filename), storeError("DAMAGED", /shortened/));
  assert.throws(() => prom.format(), storeError("DAMAGED", /shortened.*initFile/));
  prom.inc("n_total");
});

Deno.test("bad files: a cache shortened under its users is an error wherever all of it is looked at", () => {
  using folder = temporaryFolder();
  const shareFile = `${folder.path}/cache`;
  using cache = new FastMmap({ shareFile, numPages: 89 });
  cache.set("key", "value");
  Deno.truncateSync(shareFile, Deno.statSync(shareFile).size - 100_000);
  const damaged = storeError("DAMAGED", /shortened.*initFile/);
  assert.throws(
    () => new FastMmap({ shareFile, initFile: false }),
    storeError("DAMAGED", /shortened/),
  );
  for (const look of ["getKeys", "purge", "clear", "getStatistics"] as const) {
    assert.throws(() => cache[look](), damaged, look);
  }
});

Deno.test("bad files: what is overwritten is left out, counted, and told once", () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/metrics`;
  const warnings: string[] = [];
  using prom = new PrometheusTinyShared({
    filename,
    cacheArgs: { cacheSize: "64k" },
    onWarning: (message) => warnings.push(message),
  });
  for (const method of ["GET", "PUT"]) prom.inc("requests_total", { method });
  const before = prom.format();
  const at = new TextDecoder("latin1").decode(Deno.readFileSync(filename)).indexOf(
    'requests_total{method="PUT"}',
  );
  const file = Deno.openSync(filename, { write: true });
  file.seekSync(at - 16, Deno.SeekMode.Start); // the header of its entry
  file.writeSync(new Uint8Array(16).fill(0xff));
  file.close();
  for (let i = 0; i < 3; i++) {
    prom.inc("requests_total", { method: "GET" });
    const text = prom.format();
    assert.match(text, new RegExp(`^requests_total\\{method="GET"\\} ${i + 2}$`, "m"));
    if (i > 0) assert.match(text, /^prometheus_tiny_store_damage_total [1-9]\d*$/m);
  }
  assert.equal(before.split("\n").length, 3);
  assert.equal(warnings.length, 1, warnings.join("\n"));
  assert.match(warnings[0], /metrics is damaged: .*prometheus_tiny_store_damage_total.*check FILE/);
});

Deno.test("bad files: no folder is NO_FOLDER, a folder or a device is NOT_A_FILE", () => {
  using folder = temporaryFolder();
  assert.throws(
    () => open(`${folder.path}/no/metrics`),
    storeError("NO_FOLDER", /create the folder/),
  );
  const notAFile = storeError("NOT_A_FILE", /not a regular file; give the path of/);
  assert.throws(() => open(folder.path), notAFile);
  if (!isWindows) assert.throws(() => open("/dev/null"), notAFile);
});

Deno.test({
  name: "bad files: a FIFO is NOT_A_FILE and is not waited for",
  ignore: isWindows,
  fn() {
    using folder = temporaryFolder();
    const fifo = `${folder.path}/fifo`;
    assert.ok(new Deno.Command("mkfifo", { args: [fifo] }).outputSync().success);
    assert.throws(() => open(fifo), storeError("NOT_A_FILE", /not a regular file/));
  },
});

Deno.test({
  name: "bad files: a symbolic link is SYMLINK, to a store, to nothing, and with initFile",
  ignore: isWindows,
  fn() {
    using folder = temporaryFolder();
    const store = `${folder.path}/store`;
    open(store);
    const inode = Deno.statSync(store).ino;
    for (const target of [store, `${folder.path}/nothing`]) {
      const link = `${folder.path}/metrics`;
      Deno.symlinkSync(target, link);
      for (const initFile of [false, true]) {
        assert.throws(() => open(link, initFile), storeError("SYMLINK", /links are not followed/));
      }
      Deno.removeSync(link);
    }
    assert.equal(Deno.statSync(store).ino, inode);
    assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["store"]);
  },
});

Deno.test({
  name: "bad files: a store that everybody may write is OWNER",
  ignore: isWindows,
  fn() {
    using folder = temporaryFolder();
    const filename = `${folder.path}/metrics`;
    for (const mode of [0o602, 0o666]) {
      open(filename, true);
      Deno.chmodSync(filename, mode);
      assert.throws(
        () => open(filename),
        storeError("OWNER", /others may write it; use a file of/),
      );
      Deno.removeSync(filename);
    }
  },
});

Deno.test({
  name: "bad files: another user's store is OWNER, with initFile too" +
    (isRoot ? "" : " (needs root)"),
  ignore: !isRoot,
  fn() {
    using folder = temporaryFolder();
    const filename = `${folder.path}/metrics`;
    open(filename);
    chownSync(filename, nobody, nobody);
    const { ino } = Deno.statSync(filename);
    for (const initFile of [false, true]) {
      assert.throws(() => open(filename, initFile), storeError("OWNER", /belongs to another user/));
    }
    assert.equal(Deno.statSync(filename).ino, ino);
  },
});

// ---- with another user, file system or limit: in a process of its own

const child = denoRun(fileURLToPath(import.meta.resolve("./open_store.ts")));

Deno.test({
  name: "bad files: a read-only file system is READ_ONLY, with a store on it or not" + mountReason,
  ignore: !canMount,
  fn() {
    const lines = withMounts(
      'mount -t tmpfs none "$0" && "$@" "$0/old" && mount -o remount,bind,ro "$0" || exit 1; ' +
        '"$@" "$0/old"; "$@" "$0/new"; ls "$0"; mount -o remount,bind,rw "$0"; "$@" "$0/old"',
      child,
    );
    assert.equal(lines[0], "opened: opened_total 1");
    const message =
      /^READ_ONLY: cannot .*: the file system is read-only; choose a folder on a writ/;
    assert.match(lines[1], message);
    assert.match(lines[2], message);
    assert.deepEqual(lines.slice(3), ["old", "opened: opened_total 2"]);
  },
});

Deno.test({
  name: "bad files: a file system without room is NO_SPACE and nothing is left there" + mountReason,
  ignore: !canMount,
  fn() {
    const lines = withMounts(
      'mount -t tmpfs -o size=64k none "$0" || exit 1; "$@" "$0/metrics"; ls -A "$0" | wc -l',
      child,
    );
    assert.match(lines[0], /^NO_SPACE: cannot .*no space left.*; free some space, choose another/);
    assert.equal(lines[1], "0");
  },
});

Deno.test({
  name: "bad files: a file size limit is FILE_LIMIT and nothing is left there",
  ignore: isWindows,
  fn() {
    using folder = temporaryFolder();
    const script = 'ulimit -f 2000 && "$@" "$0/metrics" 1g; ls -A "$0" | wc -l';
    const lines = output(["sh", "-c", script, folder.path, ...child]).split("\n");
    assert.match(
      lines[0],
      /^FILE_LIMIT: cannot .*size limit is too small; raise the limit \(ulimit/,
    );
    assert.equal(lines[1].trim(), "0");
  },
});

/** The child as a user who is not root, with folders of its own. */
function asNobody(folder: string, filename: string): string {
  if (!isRoot) return output([...child, filename]);
  const own = `${folder}/own`;
  Deno.mkdirSync(own, { recursive: true });
  chownSync(own, nobody, nobody);
  const user = ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"];
  const env = { DENO_DIR: `${own}/deno`, PROMETHEUS_TINY_SHARED_DIR: `${own}/library`, HOME: own };
  return output([...user, ...child, filename], env);
}

/** Whether such a user can run the child at all: it must reach Deno and this project. */
const canBeNobody = !isWindows && (() => {
  using folder = temporaryFolder();
  Deno.chmodSync(folder.path, 0o755);
  return asNobody(folder.path, `${folder.path}/own/metrics`).startsWith("opened") || !isRoot;
})();

Deno.test({
  name: "bad files: a folder or a store without permission is PERMISSION" +
    (canBeNobody ? "" : " (another user cannot run Deno here)"),
  ignore: !canBeNobody,
  fn() {
    using folder = temporaryFolder();
    Deno.chmodSync(folder.path, 0o755);
    const closed = `${folder.path}/closed`;
    Deno.mkdirSync(closed);
    open(`${closed}/store`);
    const { ino } = Deno.statSync(`${closed}/store`);
    const message = /^PERMISSION: cannot .*: permission denied; choose a folder that this user may/;
    for (const mode of [0o000, 0o500]) {
      Deno.chmodSync(closed, mode);
      assert.match(asNobody(folder.path, `${closed}/new`), message);
    }
    Deno.chmodSync(closed, 0o755);
    Deno.chmodSync(`${closed}/store`, 0o000);
    assert.match(asNobody(folder.path, `${closed}/store`), message);
    assert.equal(Deno.statSync(`${closed}/store`).ino, ino);
    Deno.chmodSync(`${closed}/store`, 0o600);
    open(`${closed}/store`);
    assert.deepEqual([...Deno.readDirSync(closed)].map(({ name }) => name), ["store"]);
  },
});
