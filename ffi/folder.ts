/**
 * The folder the native library is unpacked into.
 *
 * It is what PROMETHEUS_TINY_SHARED_DIR names, or else `prometheus-tiny-shared` in the user's cache
 * folder: $XDG_CACHE_HOME or ~/.cache on Linux, ~/Library/Caches on macOS, %LOCALAPPDATA% on
 * Windows. The environment is read through the C library where `--allow-ffi` is granted, so that
 * nobody needs `--allow-env` for it.
 *
 * @module
 */

import { StoreError } from "../src/errors.ts";
import { flag, isGranted } from "./permissions.ts";
import { isMusl } from "./platforms.ts";

const override = "PROMETHEUS_TINY_SHARED_DIR";
const namedLibrary = "PROMETHEUS_TINY_LIBRARY";

/** Where the native library is. */
export interface LibraryPlace {
  /** A library that the user has made: it is opened as it is. */
  file?: string;
  /** Without one: the folder that ours is unpacked into. */
  folder: string;
}

/**
 * The absolute path of the library that PROMETHEUS_TINY_LIBRARY names, or of the folder to unpack ours
 * into, which need not exist.
 *
 * @throws {StoreError} `PERMISSION` when the environment cannot be read, `LIBRARY` when it names no
 * usable path.
 */
export function libraryPlace(): LibraryPlace {
  const get = environment();
  const file = get(namedLibrary);
  if (file) return { file: requireAbsolute(namedLibrary, file), folder: "" };
  return { folder: libraryFolder(get) };
}

/** Reads an environment variable. */
type Variables = (name: string) => string | undefined;

function requireAbsolute(variable: string, path: string): string {
  if (isAbsolute(path)) return path;
  throw new StoreError("LIBRARY", `${variable}=${path} is not an absolute path: make it one`);
}

/**
 * The absolute path of the folder that ours is unpacked into.
 *
 * @throws {StoreError} As {@linkcode libraryPlace}.
 */
export function libraryFolder(get: Variables = environment()): string {
  const named = get(override);
  if (named) return withoutEnd(requireAbsolute(override, named));
  const base = cacheFolder(get);
  if (base !== undefined) return join(base, "prometheus-tiny-shared");
  throw new StoreError(
    "LIBRARY",
    `the user has no cache folder for the native library (${homeNames()} ` +
      `not set to an absolute path): set ${override} to a folder that this user can write`,
  );
}

/** The user's cache folder; a relative path in the environment is ignored, as XDG demands. */
function cacheFolder(get: Variables): string | undefined {
  const absolute = (name: string, ...parts: string[]) => {
    const value = get(name);
    return value && isAbsolute(value) ? join(withoutEnd(value), ...parts) : undefined;
  };
  switch (Deno.build.os) {
    case "windows":
      return absolute("LOCALAPPDATA");
    case "darwin":
      return absolute("HOME", "Library", "Caches");
    default:
      return absolute("XDG_CACHE_HOME") ?? absolute("HOME", ".cache");
  }
}

function homeNames(): string {
  switch (Deno.build.os) {
    case "windows":
      return "LOCALAPPDATA is";
    case "darwin":
      return "HOME is";
    default:
      return "XDG_CACHE_HOME and HOME are";
  }
}

function isAbsolute(path: string): boolean {
  return Deno.build.os === "windows" ? /^([a-z]:[\\/]|\\\\)/i.test(path) : path.startsWith("/");
}

function join(...parts: string[]): string {
  return parts.join(Deno.build.os === "windows" ? "\\" : "/");
}

/** Without separators at its end, of which a root keeps what it needs. */
function withoutEnd(path: string): string {
  const end = Deno.build.os === "windows" ? /[\\/]+$/ : /\/+$/;
  return path.replace(end, "") || path;
}

/** Reads environment variables by whichever permission is there. */
function environment(): Variables {
  const names = [override, namedLibrary, "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"];
  if (names.every((variable) => isGranted({ name: "env", variable }))) {
    return (name) => Deno.env.get(name);
  }
  if (Deno.permissions.requestSync({ name: "ffi" }).state === "granted") {
    return Deno.build.os === "windows" ? windowsVariable : posixVariable;
  }
  const folder = homeExpression();
  throw new StoreError(
    "PERMISSION",
    `Deno has no permission to call the native library: add ${flag("ffi")} ` +
      `"--allow-read=${folder}" "--allow-write=${folder}" to deno run ` +
      `(writing is only needed the first time)`,
  );
}

/** The folder as a shell would write it, for a message when the environment cannot be read. */
function homeExpression(): string {
  switch (Deno.build.os) {
    case "windows":
      return "%LOCALAPPDATA%\\prometheus-tiny-shared";
    case "darwin":
      return "$HOME/Library/Caches/prometheus-tiny-shared";
    default:
      return "${XDG_CACHE_HOME:-$HOME/.cache}/prometheus-tiny-shared";
  }
}

const libc = Deno.build.os === "darwin"
  ? "/usr/lib/libSystem.B.dylib"
  : isMusl()
  ? "libc.so"
  : "libc.so.6";

function posixVariable(name: string): string | undefined {
  const library = Deno.dlopen(libc, {
    getenv: { parameters: ["buffer" /* const char *name */], result: "pointer" /* char * */ },
  });
  try {
    const value = library.symbols.getenv(new TextEncoder().encode(`${name}\0`));
    return value === null ? undefined : new Deno.UnsafePointerView(value).getCString();
  } finally {
    library.close();
  }
}

function windowsVariable(name: string): string | undefined {
  const library = Deno.dlopen("kernel32.dll", {
    GetEnvironmentVariableW: {
      parameters: [
        "buffer", /* LPCWSTR name */
        "buffer", /* LPWSTR value */
        "u32", /* DWORD size, in characters */
      ],
      result: "u32", /* DWORD: characters without the end, or the size needed, or 0 */
    },
  });
  const wideName = Uint16Array.from(`${name}\0`, (character) => character.charCodeAt(0));
  const value = new Uint16Array(32768); // the longest value that Windows allows
  let length: number;
  try {
    length = library.symbols.GetEnvironmentVariableW(wideName, value, value.length);
  } finally {
    library.close();
  }
  if (length === 0 || length >= value.length) return undefined;
  return String.fromCharCode(...value.subarray(0, length));
}

/**
 * The number of the user this process acts as.
 *
 * @throws {StoreError} `PERMISSION` when neither the C library nor Deno may tell it.
 */
export function effectiveUser(): number | null {
  if (isGranted({ name: "sys", kind: "uid" })) return Deno.uid();
  if (isGranted({ name: "ffi" })) {
    const library = Deno.dlopen(libc, {
      geteuid: { parameters: [], result: "u32" /* uid_t */ },
    });
    try {
      return library.symbols.geteuid();
    } finally {
      library.close();
    }
  }
  throw new StoreError(
    "PERMISSION",
    `the folder of the native library must belong to the user, and Deno has no permission to ` +
      `learn who that is: add ${flag("ffi")} or ${flag("sys", "uid")} to deno run`,
  );
}
