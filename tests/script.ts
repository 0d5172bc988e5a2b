// Starts a module of the tests in a process of its own.

/** With pipes for what it is told and what it says; its errors are shown. */
export function startScript(module: string, args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--quiet", "--no-lock", module, ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}
