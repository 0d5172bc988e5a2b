// Ten minutes of mixed load with workers that are replaced every second.

import { uptime } from "../uptime.ts";

Deno.test("10 minutes of mixed load with replaced workers: memory and files stay flat", async () => {
  console.log(await uptime(600));
});
