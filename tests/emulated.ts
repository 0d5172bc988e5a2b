// How large tests are, and how long they wait, where the processor is only emulated (deno task test:arm64).

/**
 * Whether this Deno runs under an emulator, where everything takes ten times as long, and a process a
 * second and a half of the processor to start. Tests then have fewer processes, rounds or calls.
 */
export const isEmulated: boolean = Deno.env.get("PTS_TEST_EMULATED") === "1";

/** What limits on the time that other processes and threads take are multiplied by. */
export const patience: number = isEmulated ? 10 : 1;
