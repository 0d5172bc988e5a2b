//! Builds the native library and its C tests.
//!
//!     zig build         the library for this machine, into zig-out/lib/<target>/
//!     zig build libs    the library for every supported target
//!     zig build test    builds and runs every tests/c/test_*.c
//!     zig build test-programs   builds them into zig-out/test/ without running them
//!
//! One function per artifact. Sources are found, not listed: a new csrc/*.c is built, and a
//! platform_*.c only where its name says so.

const std = @import("std");

const library_name = "prometheus_tiny_shared";

/// Every machine Deno runs on. `name` is also the name of the generated module in ffi/prebuilt.
const Target = struct { name: []const u8, triple: []const u8, os: std.Target.Os.Tag, cpu: std.Target.Cpu.Arch };
const targets = [_]Target{
    // 2.17 is the oldest glibc that Deno itself starts on.
    .{ .name = "linux_x86_64", .triple = "x86_64-linux-gnu.2.17", .os = .linux, .cpu = .x86_64 },
    .{ .name = "linux_aarch64", .triple = "aarch64-linux-gnu.2.17", .os = .linux, .cpu = .aarch64 },
    .{ .name = "macos_x86_64", .triple = "x86_64-macos", .os = .macos, .cpu = .x86_64 },
    .{ .name = "macos_aarch64", .triple = "aarch64-macos", .os = .macos, .cpu = .aarch64 },
    .{ .name = "windows_x86_64", .triple = "x86_64-windows-gnu", .os = .windows, .cpu = .x86_64 },
    .{ .name = "windows_aarch64", .triple = "aarch64-windows-gnu", .os = .windows, .cpu = .aarch64 },
};

const language_flags = [_][]const u8{ "-std=gnu11", "-Wall", "-Wextra", "-Werror" };

pub fn build(b: *std.Build) void {
    const host = b.graph.host.result;
    const libs_step = b.step("libs", "Build the library for every supported target");
    for (targets) |target| {
        const install = addLibrary(b, target);
        libs_step.dependOn(install);
        if (target.os == host.os.tag and target.cpu == host.cpu.arch) {
            b.getInstallStep().dependOn(install);
        }
    }

    const test_step = b.step("test", "Build and run the C tests");
    const programs_step = b.step("test-programs", "Build the C tests into zig-out/test");
    const support = addTestLibrary(b);
    for (findSources(b, "tests/c", isTestProgram, host.os.tag)) |file| {
        const program = addTestProgram(b, support, file);
        test_step.dependOn(&b.addRunArtifact(program).step);
        const install = b.addInstallArtifact(program, .{
            .dest_dir = .{ .override = .{ .custom = "test" } },
            .pdb_dir = .disabled,
        });
        programs_step.dependOn(&install.step);
    }
}

/// The shared library of one target. It is linked by `zig cc` and not by `b.addLibrary`, because
/// std.Build cannot pass `-z nodelete`: Deno unloads a library before the thread that loaded it
/// ends, and our thread-exit destructor must still be there then.
fn addLibrary(b: *std.Build, target: Target) *std.Build.Step {
    const cc = b.addSystemCommand(&.{ b.graph.zig_exe, "cc", "-target", target.triple });
    cc.setName(b.fmt("zig cc {s}", .{target.name}));
    cc.addArgs(&language_flags);
    cc.addArgs(&.{ "-O3", "-DNDEBUG", "-fvisibility=hidden", "-shared", "-s" });
    if (target.os != .windows) cc.addArg("-fPIC");
    if (target.cpu == .x86_64) cc.addArg("-mcx16");
    switch (target.os) {
        .linux => cc.addArgs(&.{ "-pthread", "-Wl,-z,nodelete", "-Wl,-z,defs", "-Wl,--gc-sections" }),
        .macos => cc.addArg(b.fmt("-Wl,-install_name,@rpath/lib{s}.dylib", .{library_name})),
        else => {},
    }
    for (findSources(b, "csrc", isLibrarySource, target.os)) |file| {
        cc.addFileArg(b.path(b.pathJoin(&.{ "csrc", file })));
    }
    for (findSources(b, "csrc", isHeader, target.os)) |file| {
        cc.addFileInput(b.path(b.pathJoin(&.{ "csrc", file })));
    }
    const file_name = switch (target.os) {
        .windows => library_name ++ ".dll",
        .macos => "lib" ++ library_name ++ ".dylib",
        else => "lib" ++ library_name ++ ".so",
    };
    cc.addArg("-o");
    const output = cc.addOutputFileArg(file_name);
    return &b.addInstallLibFile(output, b.pathJoin(&.{ target.name, file_name })).step;
}

/// All of csrc and what the C tests share, compiled once for them: with asserts, with the points
/// at which a test may kill the process, and with undefined behaviour trapped.
fn addTestLibrary(b: *std.Build) *std.Build.Step.Compile {
    const library = b.addLibrary(.{ .name = "pts_test", .root_module = testModule(b) });
    const os = b.graph.host.result.os.tag;
    library.root_module.addCSourceFiles(.{
        .root = b.path("csrc"),
        .files = findSources(b, "csrc", isLibrarySource, os),
        .flags = testFlags(b),
    });
    library.root_module.addCSourceFiles(.{
        .root = b.path("tests/c"),
        .files = findSources(b, "tests/c", isTestSupport, os),
        .flags = testFlags(b),
    });
    return library;
}

/// One program with its own main; it fails by its exit code.
fn addTestProgram(
    b: *std.Build,
    support: *std.Build.Step.Compile,
    file: []const u8,
) *std.Build.Step.Compile {
    const program = b.addExecutable(.{ .name = std.fs.path.stem(file), .root_module = testModule(b) });
    program.root_module.addCSourceFile(.{
        .file = b.path(b.pathJoin(&.{ "tests/c", file })),
        .flags = testFlags(b),
    });
    program.root_module.linkLibrary(support);
    return program;
}

const test_flags = language_flags ++ [_][]const u8{ "-UNDEBUG", "-DPTS_TEST_KILL_POINTS" };

/// Two words are swapped at once (atomics.h): on x86_64 the compiler must be told that it may.
fn testFlags(b: *std.Build) []const []const u8 {
    return if (b.graph.host.result.cpu.arch == .x86_64) &(test_flags ++ [_][]const u8{"-mcx16"}) else &test_flags;
}

fn testModule(b: *std.Build) *std.Build.Module {
    const module = b.createModule(.{
        .target = b.graph.host,
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

fn isLibrarySource(name: []const u8, os: std.Target.Os.Tag) bool {
    if (!std.mem.endsWith(u8, name, ".c")) return false;
    if (!std.mem.startsWith(u8, name, "platform_")) return true;
    const part = name["platform_".len .. name.len - ".c".len];
    if (std.mem.eql(u8, part, "posix")) return os != .windows;
    return std.mem.eql(u8, part, @tagName(os));
}

fn isTestProgram(name: []const u8, _: std.Target.Os.Tag) bool {
    return std.mem.startsWith(u8, name, "test_") and std.mem.endsWith(u8, name, ".c");
}

fn isTestSupport(name: []const u8, os: std.Target.Os.Tag) bool {
    return std.mem.endsWith(u8, name, ".c") and !isTestProgram(name, os);
}
