/**
 * The platforms there is a native library for. build.zig has the same names for its targets.
 *
 * @module
 */

/** A native library as it travels inside a module of ffi/prebuilt. */
export interface Prebuilt {
  /** Bytes of the library. */
  size: number;
  /** SHA-256 of the library, in hexadecimal. */
  sha256: string;
  /** Compressed with Brotli, as text (base91.ts): the library, or several of which most is the same. */
  brotli: string;
  /** Where the library begins in what was compressed. */
  offset: number;
}

/** What differs between the platforms. */
export interface Platform {
  /** The library's file name in zig-out/lib/<platform>. */
  fileName: string;
  /** The module of ffi/prebuilt that has it. */
  module: string;
  /** Imports that module. */
  load: () => Promise<Prebuilt | null>;
}

const linux = "libprometheus_tiny_shared.so";
const macos = "libprometheus_tiny_shared.dylib";
const windows = "prometheus_tiny_shared.dll";

/**
 * Every supported platform. The imports are literals, because only those need no permission and are
 * seen by whoever packs the module; only the one of the running platform is ever evaluated.
 */
export const platforms: Readonly<Record<string, Platform>> = {
  linux_x86_64: {
    fileName: linux,
    module: "linux_x86_64",
    load: async () => (await import("./prebuilt/linux_x86_64.ts")).linux_x86_64,
  },
  linux_aarch64: {
    fileName: linux,
    module: "linux_aarch64",
    load: async () => (await import("./prebuilt/linux_aarch64.ts")).linux_aarch64,
  },
  // Nearly the same code as for glibc: together they are little larger than one.
  linux_musl_x86_64: {
    fileName: linux,
    module: "linux_x86_64",
    load: async () => (await import("./prebuilt/linux_x86_64.ts")).linux_musl_x86_64,
  },
  linux_musl_aarch64: {
    fileName: linux,
    module: "linux_aarch64",
    load: async () => (await import("./prebuilt/linux_aarch64.ts")).linux_musl_aarch64,
  },
  macos_x86_64: {
    fileName: macos,
    module: "macos_x86_64",
    load: async () => (await import("./prebuilt/macos_x86_64.ts")).macos_x86_64,
  },
  macos_aarch64: {
    fileName: macos,
    module: "macos_aarch64",
    load: async () => (await import("./prebuilt/macos_aarch64.ts")).macos_aarch64,
  },
  windows_x86_64: {
    fileName: windows,
    module: "windows_x86_64",
    load: async () => (await import("./prebuilt/windows_x86_64.ts")).windows_x86_64,
  },
  windows_aarch64: {
    fileName: windows,
    module: "windows_aarch64",
    load: async () => (await import("./prebuilt/windows_aarch64.ts")).windows_aarch64,
  },
};

/**
 * Whether this Deno uses the C library musl, as Alpine's own does. It is asked what it was built for
 * and not what the system has: Deno's own builds bring glibc along where there is none.
 */
export function isMusl(): boolean {
  return Deno.build.os === "linux" && Deno.build.target.includes("musl");
}

/** The running platform's name, which is a key of {@linkcode platforms} if it is supported. */
export function platformName(): string {
  const os = Deno.build.os === "darwin" ? "macos" : Deno.build.os;
  return `${os}_${isMusl() ? "musl_" : ""}${Deno.build.arch}`;
}
