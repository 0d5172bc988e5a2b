// A member of a crew that is a thread.
/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import { makeMember, type Membership, type Task } from "./work.ts";

let member: ((task: Task) => number) | undefined;

self.onmessage = ({ data }: MessageEvent<Membership | Task>) => {
  if ("work" in data) return self.postMessage(member!(data));
  member = makeMember(data);
  self.postMessage("ready");
};
