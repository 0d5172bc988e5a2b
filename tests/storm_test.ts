// A short storm of kills; tests/soak has the long one.

import { storm } from "./storm.ts";

Deno.test({
  name: "40 kills of workers lose no acknowledged update and break nothing",
  ignore: Deno.build.os === "windows", // has no SIGKILL
  async fn() {
    console.log(await storm(40));
  },
});
