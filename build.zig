//! Builds the native library and its C tests.
//!
//!     zig build         the library for this machine, into zig-out/lib/<target>/
//!     zig build libs    the library for every supported target; or by the name of one of them
//!     zig build checker   the library of `deno task check` for this machine, into zig-out/checker/<target>/;
//!                         checker-<target> for another
//!     zig build test    builds and runs every tests/c/test_*.c
//!     zig build test-programs   builds them into zig-out/test/ without running them; with
//!                               -Dtarget=TRIPLE for another machine, into zig-out/test-<os>-<abi>/
//!     zig build assembly  what the compiler makes of each source for arm64 Linux, as text
//!
//! One function per artifact. Sources are found, not listed: a new csrc/*.c is built, and a
//! platform_*.c only where its name says so.

const std = @import("std");

const library_name = "prometheus_tiny_shared";

/// Every machine Deno runs on. `name` is also the name of the generated module in ffi/prebuilt.
const Target = struct { name: []const u8, triple: []const u8, os: std.Target.Os.Tag };
const targets = [_]Target{
    // 2.17 is the oldest glibc that Deno itself starts on.
    .{ .name = "linux_x86_64", .triple = "x86_64-linux-gnu.2.17", .os = .linux },
    .{ .name = "linux_aarch64", .triple = "aarch64-linux-gnu.2.17", .os = .linux },
    // Alpine's own Deno.
    .{ .name = "linux_musl_x86_64", .triple = "x86_64-linux-musl", .os = .linux },
    .{ .name = "linux_musl_aarch64", .triple = "aarch64-linux-musl", .os = .linux },
    // 11 is the oldest macOS that Deno itself starts on, and the first of Apple silicon.
    .{ .name = "macos_x86_64", .triple = "x86_64-macos.11.0", .os = .macos },
    .{ .name = "macos_aarch64", .triple = "aarch64-macos.11.0", .os = .macos },
    .{ .name = "windows_x86_64", .triple = "x86_64-windows-gnu", .os = .windows },
    .{ .name = "windows_aarch64", .triple = "aarch64-windows-gnu", .os = .windows },
};

/// The name of the target that runs on this machine.
fn hostName(b: *std.Build, host: std.Target) []const u8 {
    const musl = if (host.os.tag == .linux and host.abi.isMusl()) "_musl" else "";
    return b.fmt("{t}{s}_{t}", .{ host.os.tag, musl, host.cpu.arch });
}

const language_flags = [_][]const u8{ "-std=gnu11", "-Wall", "-Wextra", "-Werror" };

pub fn build(b: *std.Build) void {
    const host_name = hostName(b, b.graph.host.result);
    const libs_step = b.step("libs", "Build the library for every supported target");
    const assembly_step = b.step("assembly", "The arm64 code of every source, as text");
    for (targets) |target| {
        const install = addLibrary(b, target, "lib", isLibrarySource);
        const checker = addLibrary(b, target, "checker", isSource);
        b.step(b.fmt("checker-{s}", .{target.name}), "Build the library of the checker").dependOn(checker);
        if (std.mem.eql(u8, target.name, host_name)) b.step("checker", "The same for this machine").dependOn(checker);
        libs_step.dependOn(install);
        b.step(target.name, "Build the library for this target").dependOn(install);
        if (std.mem.eql(u8, target.name, host_name)) b.getInstallStep().dependOn(install);
        if (std.mem.eql(u8, target.name, "linux_aarch64")) addAssembly(b, target, assembly_step);
    }

    const tested = withTwoWords(b, b.standardTargetOptions(.{}));
    const test_step = b.step("test", "Build and run the C tests");
    const programs_step = b.step("test-programs", "Build the C tests into zig-out/test");
    const support = addTestLibrary(b, tested);
    for (findSources(b, "tests/c", isTestProgram, tested.result.os.tag)) |file| {
        const program = addTestProgram(b, support, file, tested);
        test_step.dependOn(&b.addRunArtifact(program).step);
        const install = b.addInstallArtifact(program, .{
            .dest_dir = .{ .override = .{ .custom = testFolder(b, tested) } },
            .pdb_dir = .disabled,
        });
        programs_step.dependOn(&install.step);
    }
}

/// As the library is compiled; a flag alone does not reach what Zig tells the compiler of the processor.
fn withTwoWords(b: *std.Build, target: std.Build.ResolvedTarget) std.Build.ResolvedTarget {
    if (target.query.isNative() or target.result.cpu.arch != .x86_64) return target;
    var query = target.query;
    query.cpu_features_add.addFeature(@intFromEnum(std.Target.x86.Feature.cx16));
    return b.resolveTargetQuery(query);
}

fn testFolder(b: *std.Build, tested: std.Build.ResolvedTarget) []const u8 {
    if (tested.query.isNative()) return "test";
    return b.fmt("test-{t}-{t}", .{ tested.result.os.tag, tested.result.abi });
}

/// What every call of the library passes through, and what takes long with many entries: for speed.
/// Everything else is compiled to be small, as the package carries it eight times.
const fast_sources = [_][]const u8{
    "cache_read.c",
    "cache_write.c",
    "cell.c",
    "lock.c",
    "number.c",
    "observe.c",
    "openmetrics.c",
    "order.c",
    "page.c",
    "reading.c",
    "render.c",
    "sink.c",
};

fn isFast(file: []const u8) bool {
    for (fast_sources) |fast| if (std.mem.eql(u8, file, fast)) return true;
    return false;
}

/// Only the search of a histogram's bounds is a loop over an array of numbers that fits into vectors.
fn isSearch(file: []const u8) bool {
    return std.mem.eql(u8, file, "observe.c");
}

/// Compiles one source of the library; kind is `-c`, or `-S` for its code as text.
fn addCompiler(b: *std.Build, target: Target, file: []const u8, kind: []const u8) std.Build.LazyPath {
    const cc = b.addSystemCommand(&.{ b.graph.zig_exe, "cc", "-target", target.triple, kind });
    cc.setName(b.fmt("zig cc {s} {s} {s}", .{ kind, target.name, file }));
    cc.addArgs(&language_flags);
    const is_arm64 = std.mem.startsWith(u8, target.triple, "aarch64");
    if (isFast(file)) {
        cc.addArg("-O3");
        // Unrolled loops are larger, and no faster where a loop has a few turns only.
        if (!isSearch(file)) cc.addArg("-fno-unroll-loops");
    } else {
        // Of -Oz alone zig cc makes -Os, which is larger.
        cc.addArgs(&.{ "-Oz", "-Xclang", "-Oz" });
    }
    cc.addArgs(&.{ "-DNDEBUG", "-fvisibility=hidden" });
    // zig cc itself passes -c along when it is asked for text.
    cc.addArgs(&.{ "-ffunction-sections", "-fdata-sections", "-Wno-unused-command-line-argument" });
    if (!isSearch(file)) cc.addArgs(&.{ "-fno-vectorize", "-fno-slp-vectorize" });
    // Apple's arm64 demands frame pointers; nobody else walks the stack by them in here.
    if (!(target.os == .macos and is_arm64)) cc.addArg("-fomit-frame-pointer");
    // What is the same in several functions stays in them: it is compressed better than a call.
    if (is_arm64) cc.addArg("-mno-outline");
    if (std.mem.startsWith(u8, target.triple, "x86_64")) cc.addArg(two_words);
    // Windows walks the stack by its tables; elsewhere only exceptions would need them.
    if (target.os != .windows) cc.addArgs(&.{ "-fPIC", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables" });
    // Apple's headers say since when there is a function: none may be newer than the oldest system.
    if (target.os == .macos) cc.addArg("-Wunguarded-availability");
    cc.addFileArg(b.path(b.pathJoin(&.{ "csrc", file })));
    addHeaders(b, cc, target.os);
    cc.addArg("-o");
    const extension = if (std.mem.eql(u8, kind, "-S")) "s" else "o";
    return cc.addOutputFileArg(b.fmt("{s}.{s}", .{ std.fs.path.stem(file), extension }));
}

/// The shared library of one target. It is linked by `zig cc` and not by `b.addLibrary`, because
/// std.Build cannot pass `-z nodelete`: Deno unloads a library before the thread that loaded it
/// ends, and our thread-exit destructor must still be there then.
///
/// The same sources give the same bytes in every folder: nothing of the machine goes into them.
fn addLibrary(b: *std.Build, target: Target, folder: []const u8, wanted: Filter) *std.Build.Step {
    const cc = b.addSystemCommand(&.{ b.graph.zig_exe, "cc", "-target", target.triple });
    cc.setName(b.fmt("zig cc -shared {s}/{s}", .{ folder, target.name }));
    cc.addArgs(&.{ "-O3", "-shared", "-s" });
    switch (target.os) {
        .linux => cc.addArgs(&.{ "-pthread", "-dynamic", "-Wl,-z,nodelete", "-Wl,-z,defs", "-Wl,--gc-sections", "-Wl,--hash-style=gnu" }),
        // -x: without names of what is not exported, which -s leaves there.
        .macos => cc.addArgs(&.{ b.fmt("-Wl,-install_name,@rpath/lib{s}.dylib", .{library_name}), "-Wl,-x", "-Wl,-dead_strip" }),
        else => {},
    }
    for (findSources(b, "csrc", wanted, target.os)) |file| {
        cc.addFileArg(addCompiler(b, target, file, "-c"));
    }
    const file_name = switch (target.os) {
        .windows => library_name ++ ".dll",
        .macos => "lib" ++ library_name ++ ".dylib",
        else => "lib" ++ library_name ++ ".so",
    };
    cc.addArg("-o");
    const output = cc.addOutputFileArg(file_name);
    return &b.addInstallFile(output, b.pathJoin(&.{ folder, target.name, file_name })).step;
}

/// One text for each source that is compiled for speed, made with the library's flags: tests/release
/// reads in it in which order the processor is told to do the accesses of the hot paths.
fn addAssembly(b: *std.Build, target: Target, step: *std.Build.Step) void {
    for (fast_sources) |file| {
        const name = b.fmt("{s}.s", .{std.fs.path.stem(file)});
        const text = addCompiler(b, target, file, "-S");
        step.dependOn(&b.addInstallFile(text, b.pathJoin(&.{ "assembly", target.name, name })).step);
    }
}

fn addHeaders(b: *std.Build, cc: *std.Build.Step.Run, os: std.Target.Os.Tag) void {
    for (findSources(b, "csrc", isHeader, os)) |file| {
        cc.addFileInput(b.path(b.pathJoin(&.{ "csrc", file })));
    }
}

/// All of csrc and what the C tests share, compiled once for them: with asserts, with the points
/// at which a test may kill the process, and with undefined behaviour trapped.
fn addTestLibrary(b: *std.Build, tested: std.Build.ResolvedTarget) *std.Build.Step.Compile {
    const library = b.addLibrary(.{ .name = "pts_test", .root_module = testModule(b, tested) });
    const os = tested.result.os.tag;
    library.root_module.addCSourceFiles(.{
        .root = b.path("csrc"),
        .files = findSources(b, "csrc", isSource, os),
        .flags = testFlags(tested),
    });
    library.root_module.addCSourceFiles(.{
        .root = b.path("tests/c"),
        .files = findSources(b, "tests/c", isTestSupport, os),
        .flags = testFlags(tested),
    });
    return library;
}

/// One program with its own main; it fails by its exit code.
fn addTestProgram(
    b: *std.Build,
    support: *std.Build.Step.Compile,
    file: []const u8,
    tested: std.Build.ResolvedTarget,
) *std.Build.Step.Compile {
    const program = b.addExecutable(.{
        .name = std.fs.path.stem(file),
        .root_module = testModule(b, tested),
    });
    program.root_module.addCSourceFile(.{
        .file = b.path(b.pathJoin(&.{ "tests/c", file })),
        .flags = testFlags(tested),
    });
    program.root_module.linkLibrary(support);
    return program;
}

const two_words = "-mcx16";
const test_flags = language_flags ++ [_][]const u8{ "-UNDEBUG", "-DPTS_TEST_KILL_POINTS" };

/// Two words are swapped at once (atomics.h): on x86_64 the compiler must be told that it may.
fn testFlags(tested: std.Build.ResolvedTarget) []const []const u8 {
    return if (tested.result.cpu.arch == .x86_64) &(test_flags ++ [_][]const u8{two_words}) else &test_flags;
}

fn testModule(b: *std.Build, tested: std.Build.ResolvedTarget) *std.Build.Module {
    const module = b.createModule(.{
        .target = tested,
        .optimize = .Debug,
        .link_libc = true,
        .sanitize_c = .full,
    });
    module.addIncludePath(b.path("csrc"));
    module.addIncludePath(b.path("tests/c"));
    return module;
}

const Filter = *const fn (name: []const u8, os: std.Target.Os.Tag) bool;

/// The names in `folder` that `wanted` accepts, sorted, so that a build does not depend on the
/// order in which the file system lists them.
fn findSources(
    b: *std.Build,
    folder: []const u8,
    wanted: Filter,
    os: std.Target.Os.Tag,
) []const []const u8 {
    const io = b.graph.io;
    var dir = b.build_root.handle.openDir(io, folder, .{ .iterate = true }) catch |err| switch (err) {
        error.FileNotFound => return &.{},
        else => std.debug.panic("cannot open {s}: {t}", .{ folder, err }),
    };
    defer dir.close(io);
    var names: std.ArrayList([]const u8) = .empty;
    var entries = dir.iterate();
    while (entries.next(io) catch |err| std.debug.panic("cannot list {s}: {t}", .{ folder, err })) |entry| {
        if (entry.kind == .directory or !wanted(entry.name, os)) continue;
        names.append(b.allocator, b.dupe(entry.name)) catch @panic("OOM");
    }
    std.mem.sort([]const u8, names.items, {}, lessThan);
    return names.items;
}

fn lessThan(_: void, a: []const u8, b: []const u8) bool {
    return std.mem.lessThan(u8, a, b);
}

fn isHeader(name: []const u8, _: std.Target.Os.Tag) bool {
    return std.mem.endsWith(u8, name, ".h");
}

/// The checker is not published: whoever runs it has the sources.
fn isLibrarySource(name: []const u8, os: std.Target.Os.Tag) bool {
    return isSource(name, os) and !std.mem.startsWith(u8, name, "check");
}

fn isSource(name: []const u8, os: std.Target.Os.Tag) bool {
    if (!std.mem.endsWith(u8, name, ".c")) return false;
    if (!std.mem.startsWith(u8, name, "platform_")) return true;
    return belongsTo(name["platform_".len .. name.len - ".c".len], os);
}

/// Whether a part of a file's name is that of this system, or of its kind.
fn belongsTo(part: []const u8, os: std.Target.Os.Tag) bool {
    if (std.mem.eql(u8, part, "posix")) return os != .windows;
    if (!std.mem.startsWith(u8, part, @tagName(os))) return false;
    return part.len == @tagName(os).len or part[@tagName(os).len] == '_';
}

/// Windows has no fork, no signals, no users to become: only these are written without.
const portable_programs = [_][]const u8{
    "test_cache.c",
    "test_cache_model.c",
    "test_cache_threads.c",
    "test_check.c",
    "test_metrics.c",
    "test_number.c",
    "test_platform.c",
    "test_processes.c",
    "test_render.c",
    "test_threads.c",
};

fn isTestProgram(name: []const u8, os: std.Target.Os.Tag) bool {
    if (!std.mem.startsWith(u8, name, "test_") or !std.mem.endsWith(u8, name, ".c")) return false;
    if (std.mem.eql(u8, name, "test_platform_windows.c")) return os == .windows;
    if (os != .windows) return true;
    for (portable_programs) |portable| if (std.mem.eql(u8, name, portable)) return true;
    return false;
}

/// host_*.c is what the tests ask of a system.
fn isTestSupport(name: []const u8, os: std.Target.Os.Tag) bool {
    if (!std.mem.endsWith(u8, name, ".c") or std.mem.startsWith(u8, name, "test_")) return false;
    if (!std.mem.startsWith(u8, name, "host_")) return true;
    return belongsTo(name["host_".len .. name.len - ".c".len], os);
}
