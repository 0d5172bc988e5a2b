// Runs scripts where file systems can be mounted for them alone.

/** What a command prints. */
export function output(command: string[], env: Record<string, string> = {}): string {
  const { stdout, stderr } = new Deno.Command(command[0], {
    args: command.slice(1),
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
  }).outputSync();
  const decoder = new TextDecoder();
  return (decoder.decode(stdout) + decoder.decode(stderr)).trim();
}

const asRoot = Deno.build.os === "windows" || Deno.uid() === 0;
const mounting = ["unshare", ...(asRoot ? ["-m"] : ["-r", "-m"]), "sh", "-c"];

function works(): boolean {
  try {
    return output([...mounting, "mount -t tmpfs none /mnt && echo works"]) === "works";
  } catch {
    return false;
  }
}

/** Whether file systems can be mounted here. */
export const canMount: boolean = Deno.build.os === "linux" && works();

/** For a test's name. */
export const mountReason: string = canMount ? "" : " (skipped: cannot mount here)";

/** Lines that a script prints; $0 is a folder to mount on, "$@" the command. */
export function withMounts(script: string, command: string[]): string[] {
  const folder = Deno.makeTempDirSync({ prefix: "prometheus-tiny-shared-" });
  try {
    return output([...mounting, script, folder, ...command]).split("\n");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** The command that runs a module beside this one with all permissions. */
export function denoRun(module: string): string[] {
  return [Deno.execPath(), "run", "--quiet", "--no-check", "--allow-all", module];
}
