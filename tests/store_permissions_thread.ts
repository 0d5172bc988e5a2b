// The Worker of store_permissions_main.ts.

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import { use } from "./store_permissions_use.ts";

self.addEventListener("message", ({ data: filename }: MessageEvent<string>) => {
  self.postMessage(use(filename, "thread"));
}, { once: true });
