// Workers that are replaced every second; tests/soak has ten minutes of it.

import { uptime } from "./uptime.ts";

Deno.test("5 seconds of mixed load with replaced workers: memory and files stay flat", async () => {
  console.log(await uptime(5));
});
