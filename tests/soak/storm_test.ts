// 2,000 SIGKILLs over eight workers.

import { storm } from "../storm.ts";

Deno.test({
  name: "2,000 kills of workers lose no acknowledged update and break nothing",
  ignore: Deno.build.os === "windows", // has no SIGKILL
  async fn() {
    console.log(await storm(2000));
  },
});
