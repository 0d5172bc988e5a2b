// Workers that are replaced every second; tests/soak has ten minutes of it.

import { isEmulated } from "./emulated.ts";
import { uptime } from "./uptime.ts";

const seconds = isEmulated ? 3 : 5;

Deno.test(`${seconds} seconds of mixed load with replaced workers: memory and files stay flat`, async () => {
  console.log(await uptime(seconds));
});
