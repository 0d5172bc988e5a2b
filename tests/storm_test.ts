// A short storm of kills; tests/soak has the long one.

import { isEmulated } from "./emulated.ts";
import { storm } from "./storm.ts";

const kills = isEmulated ? 6 : 40;

Deno.test({
  name: `${kills} kills of workers lose no acknowledged update and break nothing`,
  ignore: Deno.build.os === "windows", // has no SIGKILL
  async fn() {
    console.log(await storm(kills));
  },
});
