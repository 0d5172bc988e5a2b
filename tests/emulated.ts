// How large tests are where the processor is only emulated (deno task test:arm64).

/** Whether this Deno runs under an emulator, where everything takes ten times as long. */
export const isEmulated: boolean = Deno.env.get("PTS_TEST_EMULATED") === "1";
