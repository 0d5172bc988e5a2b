/**
 * Finds or unpacks the native library, verifies it, and opens it.
 *
 * The library travels as a module (ffi/prebuilt), so nothing is downloaded or read from where this
 * code came from. It is unpacked once into a folder of the user's under the hash of its bytes, by a
 * temporary file and a rename, and verified before every opening: workers that start together
 * cannot meet half a file, and a damaged file is replaced.
 *
 * @module
 */

import { createHash, randomUUID } from "node:crypto";
import { brotliDecompressSync } from "node:zlib";
import { StoreError } from "../src/errors.ts";
import { decodeBase91 } from "./base91.ts";
import { effectiveUser, libraryPlace } from "./folder.ts";
import { flag, requirePermissions } from "./permissions.ts";
import { platformName, platforms, type Prebuilt } from "./platforms.ts";

const prebuilt = await loadPrebuilt();

/** The running platform's library; null if it has not been built, undefined if there can be none. */
async function loadPrebuilt(): Promise<Prebuilt | null | undefined> {
  const platform = platforms[platformName()];
  try {
    return platform && await platform.load();
  } catch (error) {
    // A checkout before its first build has no such module.
    if ((error as { code?: string }).code === "ERR_MODULE_NOT_FOUND") return null;
    throw error;
  }
}

/**
 * Opens the native library with these symbols.
 *
 * It needs `--allow-ffi`, and `--allow-read` for the folder it is unpacked into; the first time
 * `--allow-write` for that folder too. See `libraryPlace` for which folder that is. A library that
 * `PROMETHEUS_TINY_LIBRARY` names needs `--allow-ffi` only, and no support of its platform.
 *
 * @throws {StoreError} `PERMISSION` with the flags to add, `PLATFORM` where there is no library for
 * this machine, `LIBRARY` when it cannot be unpacked or loaded.
 */
export function openLibrary<const S extends Deno.ForeignLibraryInterface>(
  symbols: S,
): Deno.DynamicLibrary<S> {
  const { file, folder } = libraryPlace();
  if (file !== undefined) return load(file, symbols, () => whatToName);
  const library = requirePrebuilt();
  const path = findLibrary(library, folder) ?? unpackLibrary(library, folder);
  return load(path, symbols, (reason) => whatToDoAbout(reason, folder));
}

function load<const S extends Deno.ForeignLibraryInterface>(
  path: string,
  symbols: S,
  wayOut: (reason: string) => string,
): Deno.DynamicLibrary<S> {
  try {
    return Deno.dlopen(path, symbols);
  } catch (error) {
    const reason = (error as Error).message;
    throw error instanceof Deno.errors.NotCapable
      ? new StoreError(
        "PERMISSION",
        `Deno has no permission to load the native library ${path}: add ${flag("ffi")} to deno run`,
        { cause: error },
      )
      : new StoreError(
        "LIBRARY",
        `cannot load the native library ${path}: ${reason}. ${wayOut(reason)}`,
        { cause: error },
      );
  }
}

const whatToName =
  "PROMETHEUS_TINY_LIBRARY names it: set that to a library of this version made for " +
  "this machine, or unset it to have the package's own used";

/** The loaders of glibc, of musl and of macOS all tell what the system says when it may not be mapped. */
function whatToDoAbout(reason: string, folder: string): string {
  return /not permitted|failed to map segment|permission denied/i.test(reason)
    ? `Programs may not be loaded from ${folder}, whose file system is probably mounted noexec: ` +
      `set PROMETHEUS_TINY_SHARED_DIR to a folder elsewhere`
    : `Set PROMETHEUS_TINY_LIBRARY to a library made for this machine ` +
      `(\`deno task build\` in a checkout of the sources)`;
}

function requirePrebuilt(): Prebuilt {
  if (prebuilt) return prebuilt;
  if (prebuilt === undefined) {
    throw new StoreError(
      "PLATFORM",
      `there is no native library for ${platformName()}; ` +
        `supported are ${Object.keys(platforms).join(", ")}. If you have built one from the ` +
        `sources (csrc), set PROMETHEUS_TINY_LIBRARY to its path`,
    );
  }
  throw new StoreError(
    "LIBRARY",
    `the native library for ${platformName()} is not part of this copy of the package; ` +
      `in a checkout of its sources, run \`deno task build\` first`,
  );
}

/** Where the library lies; its name has the hash, so versions live side by side. */
function libraryPath(library: Prebuilt, folder: string): string {
  const { fileName } = platforms[platformName()];
  const dot = fileName.lastIndexOf(".");
  const name = `${fileName.slice(0, dot)}-${library.sha256.slice(0, 32)}${fileName.slice(dot)}`;
  return Deno.build.os === "windows" ? `${folder}\\${name}` : `${folder}/${name}`;
}

/** The path of the unpacked library if it is there, safe and whole. */
function findLibrary(library: Prebuilt, folder: string): string | undefined {
  requirePermissions([{ name: "read", path: folder }], () => missing(folder));
  const path = libraryPath(library, folder);
  try {
    checkFolder(folder);
    return isWhole(Deno.readFileSync(path), library) ? path : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw unusable(folder, error);
  }
}

/** Unpacks the library and returns its path. */
function unpackLibrary(library: Prebuilt, folder: string): string {
  requirePermissions([{ name: "write", path: folder }], () =>
    missing(folder, [
      flag("write", folder),
    ]));
  const { brotli, offset, size } = library;
  const bytes = brotliDecompressSync(decodeBase91(brotli)).subarray(offset, offset + size);
  if (!isWhole(bytes, library)) {
    throw new StoreError(
      "LIBRARY",
      `the native library inside the package does not have its SHA-256 ${library.sha256}: ` +
        `the package is damaged, fetch it again (deno cache --reload)`,
    );
  }
  const path = libraryPath(library, folder);
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    checkFolder(folder);
    Deno.writeFileSync(temporary, bytes, { createNew: true, mode: 0o700 });
    Deno.renameSync(temporary, path);
  } catch (error) {
    removeQuietly(temporary);
    // Windows refuses to replace a library in use: then another worker has just unpacked it.
    const unpacked = findLibrary(library, folder);
    if (unpacked !== undefined) return unpacked;
    throw unusable(folder, error);
  }
  return path;
}

function isWhole(bytes: Uint8Array, library: Prebuilt): boolean {
  return bytes.length === library.size &&
    createHash("sha256").update(bytes).digest("hex") === library.sha256;
}

/** Refuses a folder in which somebody else could exchange the library after its verification. */
function checkFolder(folder: string): void {
  const info = Deno.lstatSync(folder);
  const refuse = (why: string) => {
    throw new StoreError(
      "LIBRARY",
      `the folder ${folder} for the native library ${why}; ` +
        `set PROMETHEUS_TINY_SHARED_DIR to another folder, or remove this one`,
    );
  };
  if (info.isSymlink) refuse("is a symbolic link");
  if (!info.isDirectory) refuse("is not a folder");
  if (Deno.build.os === "windows") return;
  if (((info.mode ?? 0) & 0o022) !== 0) refuse("can be written by other users (chmod go-w)");
  if (info.uid !== 0 && info.uid !== effectiveUser()) refuse("belongs to another user");
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It was not made; the error that led here is the one to report.
  }
}

/** An error of the file system, as the caller is to see it. */
function unusable(folder: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (error instanceof Deno.errors.NotCapable) {
    return new StoreError("PERMISSION", missing(folder), { cause: error });
  }
  return new StoreError(
    error instanceof Deno.errors.PermissionDenied ? "PERMISSION" : "LIBRARY",
    `cannot unpack the native library into ${folder}: ${(error as Error).message}; ` +
      `set PROMETHEUS_TINY_SHARED_DIR to a folder that this user can write and that has room, or ` +
      `PROMETHEUS_TINY_LIBRARY to a library that is there already`,
    { cause: error },
  );
}

function missing(
  folder: string,
  flags: string[] = [flag("read", folder), flag("write", folder)],
): string {
  return `Deno has no permission to load the native library from ${folder}: ` +
    `add ${flags.join(" ")} to deno run (writing is only needed the first time)`;
}
