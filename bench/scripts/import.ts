// Milliseconds to import the module SPECIFIER, and to open a store with it if told so.

const [specifier, open] = Deno.args;
const start = performance.now();
const module = await import(specifier);
if (open === "true") new module.PrometheusTinyShared();
console.log(JSON.stringify([performance.now() - start]));
