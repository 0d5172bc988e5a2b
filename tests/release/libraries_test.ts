import assert from "node:assert/strict";
import { brotliDecompressSync } from "node:zlib";
import { decodeBase91 } from "../../ffi/base91.ts";
import { cacheSymbols } from "../../ffi/cache_symbols.ts";
import { platforms } from "../../ffi/platforms.ts";
import { symbols } from "../../ffi/symbols.ts";
import {
  type Binary,
  indirectNames,
  oldestMacOS,
  readElf,
  readMachO,
  readPe,
  readSignature,
} from "./binaries.ts";

const largest = 160 * 1024;

const libraries = new Map<string, Uint8Array<ArrayBuffer>>();
for (const [name, platform] of Object.entries(platforms)) {
  const prebuilt = await platform.load();
  if (prebuilt === null) throw new Error(`${name} is not built: run deno task test:release`);
  const { brotli, offset, size } = prebuilt;
  const all = brotliDecompressSync(decodeBase91(brotli));
  libraries.set(name, new Uint8Array(all.subarray(offset, offset + size)));
}

function read(name: string): Binary {
  const bytes = libraries.get(name)!;
  if (name.startsWith("macos")) return readMachO(bytes);
  return name.startsWith("windows") ? readPe(bytes) : readElf(bytes);
}

for (const name of Object.keys(platforms)) {
  Deno.test(`${name} has less than 160 KiB, and only names that it exports`, () => {
    const bytes = libraries.get(name)!.length;
    assert(bytes < largest, `it has ${bytes} bytes: see fast_sources in build.zig`);
    // The linker of Zig keeps those of the jumps that it makes to functions of other libraries.
    const locals = read(name).localNames.filter((local) => !local.endsWith("__thunk"));
    assert.deepEqual(locals, []);
  });

  Deno.test(`${name} exports what is called, and nothing else`, () => {
    const underscore = name.startsWith("macos") ? "_" : "";
    const called = Object.entries({ ...symbols, ...cacheSymbols })
      .map(([key, symbol]) => underscore + ("name" in symbol ? symbol.name : key));
    const linkers = ["___dso_handle", "__mh_dylib_header"]; // of macOS, which nobody can look up
    const exported = read(name).exports.filter((symbol) => !linkers.includes(symbol));
    assert.deepEqual(exported.sort(), [...new Set(called)].sort());
  });
}

for (const architecture of ["x86_64", "aarch64"]) {
  Deno.test(`linux_${architecture} needs nothing newer than glibc 2.17`, () => {
    const { imports, needed } = read(`linux_${architecture}`);
    for (const call of imports) {
      const version = /@GLIBC_2\.(\d+)/.exec(call);
      if (version !== null) assert(Number(version[1]) <= 17, call);
      else assert(!call.includes("@"), call);
    }
    for (const library of needed) {
      assert.match(library, /^(libc|libpthread|libm|ld-linux-.*)\.so\.\d$/);
    }
  });

  Deno.test(`linux_musl_${architecture} needs musl's libc only`, () => {
    const { imports, needed } = read(`linux_musl_${architecture}`);
    assert.deepEqual(needed, ["libc.so"]);
    assert.deepEqual(imports.filter((call) => call.includes("@")), []);
  });

  Deno.test(`windows_${architecture} needs only what Windows 10 has`, () => {
    const { imports, needed } = read(`windows_${architecture}`);
    for (const library of needed) {
      assert.match(library, /^(KERNEL32|ADVAPI32)\.dll$|^api-ms-win-crt-\w+-l1-1-0\.dll$/i);
    }
    // The first Windows 10 has all of api-ms-win-crt, C's own functions. Of the system's, that a new one
    // is in an old system has to be looked up.
    const since: Record<string, string> = {
      "XP or before": "AddAccessAllowedAceEx CloseHandle CreateDirectoryW CreateFileMappingW " +
        "CreateFileW DeleteCriticalSection DeleteFileW DeviceIoControl EnterCriticalSection " +
        "EqualSid FindClose FindFirstFileW FindNextFileW FormatMessageW GetAce " +
        "GetCurrentProcessId GetCurrentThreadId GetDiskFreeSpaceExW GetEnvironmentVariableW " +
        "GetFileAttributesW GetFileInformationByHandle GetFileType GetFullPathNameW " +
        "GetLastError GetModuleHandleExW GetSecurityInfo GetTempPathW GetTokenInformation " +
        "InitializeAcl InitializeCriticalSection IsWellKnownSid LeaveCriticalSection LocalFree " +
        "LockFileEx MapViewOfFile MoveFileExW MultiByteToWideChar QueryPerformanceCounter " +
        "QueryPerformanceFrequency SetFileAttributesW Sleep SwitchToThread TlsGetValue " +
        "UnlockFileEx UnmapViewOfFile WideCharToMultiByte WriteFile",
      "Vista": "AcquireSRWLockExclusive GetFileInformationByHandleEx GetFinalPathNameByHandleW " +
        "ReleaseSRWLockExclusive SetFileInformationByHandle",
      "8": "GetSystemTimePreciseAsFileTime",
    };
    const known = new Set(Object.values(since).join(" ").split(" "));
    const ofC = /^[a-z_]/;
    assert.deepEqual(imports.filter((call) => !ofC.test(call) && !known.has(call)), []);
  });

  Deno.test(`macos_${architecture} calls only what the oldest macOS of Deno has`, () => {
    const bytes = libraries.get(`macos_${architecture}`)!;
    assert.equal(oldestMacOS(bytes), "11.0");
    const { imports, needed } = read(`macos_${architecture}`);
    assert.deepEqual(needed, ["/usr/lib/libSystem.B.dylib"]);
    // The compiler refuses what Apple's headers call newer than macOS 11 (build.zig). This is the list
    // of what there is no guard for: that a new call is in an old system has to be looked up.
    const since: Record<string, string[]> = {
      "10.4 or before": [
        ..."__error bzero calloc close confstr dladdr dlopen fcntl flock free fstat fstatfs".split(
          " ",
        ),
        ..."ftruncate getenv geteuid getpid getrlimit link lstat malloc memchr memcmp memcpy".split(
          " ",
        ),
        ..."memmove memset mkdir mmap munmap nanosleep open pread pwrite qsort realloc rename"
          .split(" "),
        ..."snprintf stat strchr strcmp strcpy strerror_r strlen strncmp strpbrk strrchr strtod"
          .split(" "),
        ..."time unlink usleep vsnprintf bsearch memset_pattern16 abort strcat strtoull pow".split(
          " ",
        ),
        ..."pthread_mutex_destroy pthread_mutex_init pthread_mutex_lock pthread_mutex_unlock".split(
          " ",
        ),
        ..."opendir readdir closedir dirfd strspn pthread_once dyld_stub_binder nextafter floor exp log log2 fmod pthread_self"
          .split(
            " ",
          ),
      ],
      "10.5": ["__memcpy_chk", "__strcat_chk", "__memmove_chk", "__memset_chk", "__strcpy_chk"],
      "10.6": ["__snprintf_chk", "__vsnprintf_chk"],
      "10.7": ["arc4random_buf", "_tlv_atexit", "_tlv_bootstrap"],
      "10.10": ["fstatat", "openat", "unlinkat"],
      "10.12": ["clock_gettime", "renamex_np"],
    };
    const known = new Set(Object.values(since).flat());
    const plain = (call: string) =>
      call.replace(/^_/, "").replace(/^__bzero$/, "bzero").replace(
        /\$INODE64$|\$DARWIN_EXTSN$/,
        "",
      );
    assert.deepEqual(imports.map(plain).filter((call) => !known.has(call)), []);
  });
}

for (const architecture of ["x86_64", "aarch64"]) {
  Deno.test(`macos_${architecture} has addresses of other libraries' functions filled in only`, () => {
    const bytes = libraries.get(`macos_${architecture}`)!;
    // For what is its own, Zig's linker leaves an entry to chance: no two builds are the same then.
    const { imports } = readMachO(bytes);
    assert.deepEqual(indirectNames(bytes).filter((name) => !imports.includes(name)), []);
  });
}

Deno.test("macos_aarch64 carries the signature that Apple silicon demands", () => {
  const bytes = libraries.get("macos_aarch64")!;
  const signature = readSignature(bytes);
  assert(signature !== undefined, "there is no LC_CODE_SIGNATURE");
  assert(signature.isAdHoc);
  assert.equal(signature.covered, signature.offset); // all that comes before it
  assert(signature.pages > 0);
  assert.equal(signature.wrongPages, 0);
});

Deno.test("a changed byte of a signed library shows in its signature", () => {
  const bytes = libraries.get("macos_aarch64")!.slice();
  bytes[20000] ^= 1;
  assert.equal(readSignature(bytes)!.wrongPages, 1);
});
