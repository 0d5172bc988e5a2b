// Processes that come and go; tests/soak has the long one.

import { churn } from "./churn.ts";

Deno.test("8 processes attach and detach while the store is cleared and replaced", async () => {
  console.log(await churn(8, 4));
});
