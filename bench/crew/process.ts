// A member of a crew that is a process: tasks from standard input, rates to standard output.

import { makeMember } from "./work.ts";

const member = makeMember(JSON.parse(Deno.args[0]));
console.log("ready");
let rest = "";
for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + text).split("\n");
  rest = lines.pop()!;
  for (const line of lines) console.log(member(JSON.parse(line)));
}
