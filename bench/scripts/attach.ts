// Milliseconds to attach to the store PATH, to the end of a first inc, and of a first scrape.

import { PrometheusTinyShared } from "../../mod.ts";

const library = new PrometheusTinyShared(); // loads it
library.close();
const start = performance.now();
const passed = () => performance.now() - start;
using prom = new PrometheusTinyShared({ filename: Deno.args[0] });
const attached = passed();
prom.inc("http_requests_total", { method: "POST", path: "/users/0", status: 200 });
const added = passed();
prom.format();
console.log(JSON.stringify([attached, added, passed()]));
