// Uses stores in its main thread and, if asked, in a Worker. store_permissions_test.ts runs it with few
// permissions.

import { use } from "./store_permissions_use.ts";

const [filename, also] = Deno.args;
console.log(use(filename, "main"));
if (also === "thread") {
  const worker = new Worker(import.meta.resolve("./store_permissions_thread.ts"), {
    type: "module",
  });
  console.log(
    await new Promise<string>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage(filename);
    }),
  );
  worker.terminate();
}
