// A worker that updates every series of a store and then waits to be killed: PATH SERIES

import { addToAll, openStore } from "../fill.ts";

const [path, series] = Deno.args;
addToAll(openStore(path), Number(series));
console.log("ready");
await new Promise((resolve) => setTimeout(resolve, 60_000));
