/** How the models are asked: a protocol holds, or a mutation of it is caught. */
import assert from "node:assert/strict";
import { explore, type Model } from "./explorer.ts";

/** The protocol as written has no violation in any interleaving of the model. */
export function holds(name: string, model: Model): void {
  Deno.test(name, () => {
    const { states, violation } = explore(model);
    if (violation !== undefined) {
      assert.fail(`${violation.message}, after\n  ${violation.steps.join("\n  ")}`);
    }
    console.log(`${name}: ${states} states`);
  });
}

/** With one thing done wrong the model finds a violation: it would have seen it in the protocol. */
export function caught(name: string, model: Model, message: RegExp): void {
  Deno.test(name, () => {
    const { states, violation } = explore(model);
    assert.ok(violation, `not caught in ${states} states: the model does not see this mistake`);
    assert.match(violation.message, message);
    console.log(`${name}: "${violation.message}" in ${violation.steps.length} steps`);
  });
}
