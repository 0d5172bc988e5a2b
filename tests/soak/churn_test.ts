// 64 processes that come and go for a minute.

import { churn } from "../churn.ts";

Deno.test("64 processes attach and detach while the store is cleared and replaced", async () => {
  console.log(await churn(64, 60));
});
