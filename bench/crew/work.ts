/**
 * What a member of a crew can be asked to repeat.
 *
 * @module
 */

import { FastMmap, PrometheusTinyShared } from "../../mod.ts";
import { openLimits } from "../limits.ts";

/** The works; of those on series all but one are on the same for all members. */
export type WorkName = "inc" | "inc own" | "observe" | "untyped" | "gauge" | CacheWork | "C loop";

/** All members read the same entries of one cache; each writes those of its own pages. */
type CacheWork = "cache get" | "cache getInto" | "cache set";

/** What a member is told when it starts. */
export interface Membership {
  readonly filename: string;
  readonly number: number;
}

/** What it is asked. */
export interface Task {
  readonly work: WorkName;
  /** When to begin, as Date.now() counts, so that all do at once. */
  readonly at: number;
  readonly ms: number;
}

type Loop = (times: number) => void;

/** Makes every work; each loop stands in its own function, to be compiled for it alone. */
function makeWorks({ filename, number }: Membership): Record<WorkName, Loop> {
  const prom = new PrometheusTinyShared({ filename });
  const limits = openLimits();
  const counter = prom.counter("crew_total", { labelNames: ["member"] });
  const same = counter.labels({ member: "all" });
  const own = counter.labels({ member: String(number) });
  const histogram = prom.histogram("crew_seconds", { labelNames: ["member"] })
    .labels({ member: "all" });
  const gauge = prom.gauge("crew_level", { labelNames: ["member"] }).labels({ member: "all" });
  return {
    "inc": (times) => {
      for (let i = 0; i < times; i++) same.inc();
    },
    "inc own": (times) => {
      for (let i = 0; i < times; i++) own.inc();
    },
    "observe": (times) => {
      for (let i = 0; i < times; i++) histogram.observe(0.3);
    },
    "untyped": (times) => {
      for (let i = 0; i < times; i++) {
        prom.inc("crew_untyped_total", { method: "GET", status: 200 });
      }
    },
    "gauge": (times) => {
      for (let i = 0; i < times; i++) gauge.set(i);
    },
    ...makeCacheWorks(`${filename}-cache`, number),
    "C loop": (times) => void limits.limit_add(number, times),
  };
}

const PAGES = 89;

/** The page of a key of ASCII, as the cache hashes it. */
function pageOf(key: string): number {
  let hash = 0x92f7e3b1;
  for (let i = 0; i < key.length; i++) {
    hash = ((hash << 4) + (hash >>> 28) + key.charCodeAt(i)) >>> 0;
  }
  return hash % PAGES;
}

function makeCacheWorks(shareFile: string, number: number): Record<CacheWork, Loop> {
  const cache = new FastMmap<Uint8Array>({
    shareFile,
    numPages: PAGES,
    serializer: "raw",
    unlinkOnExit: false,
  });
  const value = new Uint8Array(100).fill(120);
  const buffer = new Uint8Array(100);
  const keys = Array.from({ length: 1000 }, (_, i) => `key${i}`);
  const own = keys.filter((key) => pageOf(key) % 2 === number % 2);
  for (const key of keys) cache.set(key, value);
  return {
    "cache get": (times) => {
      for (let i = 0; i < times; i++) cache.get(keys[i % keys.length]);
    },
    "cache getInto": (times) => {
      for (let i = 0; i < times; i++) cache.getInto(keys[i % keys.length], buffer);
    },
    "cache set": (times) => {
      for (let i = 0; i < times; i++) cache.set(own[i % own.length], value);
    },
  };
}

const BATCH = 2000;

/** Returns a function that does a task and tells how many operations a millisecond it did. */
export function makeMember(membership: Membership): (task: Task) => number {
  const works = makeWorks(membership);
  for (const loop of Object.values(works)) for (let i = 0; i < 20; i++) loop(BATCH);
  return ({ work, at, ms }) => {
    const loop = works[work];
    while (Date.now() < at);
    const start = performance.now();
    let now = start;
    let count = 0;
    do {
      loop(BATCH);
      count += BATCH;
      now = performance.now();
    } while (now - start < ms);
    return count / (now - start);
  };
}
