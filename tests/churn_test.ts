// Processes that come and go; tests/soak has the long one.

import { churn } from "./churn.ts";
import { isEmulated } from "./emulated.ts";

const processes = isEmulated ? 4 : 8;
const seconds = isEmulated ? 2 : 4;

Deno.test(`${processes} processes attach and detach while the store is cleared and replaced`, async () => {
  console.log(await churn(processes, seconds));
});
