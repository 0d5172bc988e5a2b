// The same calls on Perl's Cache::FastMmap and on ours, with a clock that both share: the same results, the
// same keys with the same values and times in the same order, and the same entries evicted and written
// back. Where ours differs on purpose (values of about half a page and more) no call goes.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { FastMmap, type FastMmapOptions } from "../../mod.ts";
import { Calls, Clock, generator, temporaryFile } from "../caching.ts";
import { isEmulated } from "../emulated.ts";
import { missing } from "./oracle.ts";

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

type Call = [name: string, ...rest: Json[]];

const seeds = Array.from({ length: isEmulated ? 6 : 24 }, (_, index) => index + 1);
const callsPerSeed = isEmulated ? 1000 : 5000;

/** What one seed is about. */
interface Setting {
  readonly pages: number;
  readonly pageSize: number;
  readonly slots: number;
  readonly lifetime: number;
  readonly writeBack: boolean;
  readonly keys: number;
  readonly longest: number;
}

function settingOf(random: (below: number) => number): Setting {
  const pageSize = [1024, 2048, 4096, 8192][random(4)];
  return {
    pages: 1 + random(5),
    pageSize,
    // The original takes a page with fewer than 89 slots for a broken one.
    slots: [89, 89, 131][random(3)],
    lifetime: [0, 0, 15][random(3)],
    writeBack: random(2) === 0,
    keys: [40, 150, 600][random(3)],
    longest: Math.floor(pageSize / 5) - 60,
  };
}

/** Calls, with more of the frequent ones. */
class Generated {
  readonly #random: (below: number) => number;
  readonly #setting: Setting;
  #second = 1_700_000_000;

  constructor(random: (below: number) => number, setting: Setting) {
    this.#random = random;
    this.#setting = setting;
  }

  list(): Call[] {
    const calls: Call[] = [["time", this.#second]];
    while (calls.length < callsPerSeed) calls.push(this.#next());
    calls.push(["getKeys"], ["statistics", 0]);
    return calls;
  }

  #next(): Call {
    const random = this.#random;
    const kind = random(1000);
    if (kind < 60) return ["time", this.#second += random(4)];
    if (kind < 360) return ["get", this.#key()];
    if (kind < 720) return ["set", this.#key(), this.#value(), ...this.#expiry()];
    if (kind < 780) return ["remove", this.#key()];
    if (kind < 820) return ["expire", this.#key()];
    if (kind < 900) return this.#getAndSet();
    if (kind < 930) return ["getAndRemove", this.#key()];
    if (kind < 945) return ["multiGet", this.#key(), ["a", "b", "c"]];
    if (kind < 965) {
      return ["multiSet", this.#key(), { [["a", "b", "c"][random(3)]]: this.#value() ?? "" }];
    }
    if (kind < 990) return ["getKeys"];
    if (kind < 994) return ["purge"];
    if (kind < 996) return ["empty", random(2)];
    if (kind < 997) return ["clear"];
    return ["statistics", random(3) === 0 ? 1 : 0];
  }

  #key(): string {
    const number = this.#random(this.#setting.keys);
    return number === 0 ? "" : `${number % 3 === 0 ? "a longer key, number " : "k"}${number}`;
  }

  #value(): string | null {
    const length = this.#random(this.#setting.longest);
    return length === 7 ? null : String.fromCharCode(97 + this.#random(26)).repeat(length);
  }

  #expiry(): Json[] {
    const random = this.#random;
    switch (random(8)) {
      case 0:
        return [["5s", "1m", "now", "never", "0", "garbage", "2 hours"][random(7)]];
      case 1:
        return [{ expire_time: 1 + random(20) }];
      case 2:
        return [{ expire_on: random(4) === 0 ? 0 : this.#second - 3 + random(15) }];
      default:
        return [];
    }
  }

  #getAndSet(): Call {
    const suffix = this.#random(5) === 0 ? null : `+${this.#random(1000)}`;
    const expiry = this.#expiry()[0];
    return ["getAndSet", this.#key(), suffix, typeof expiry === "object" ? expiry : null];
  }
}

/** The calls on ours, with Perl's names and results. */
class Ours implements Disposable {
  readonly #clock = new Clock();
  readonly #calls = new Calls();
  readonly #cache: FastMmap<string>;
  readonly #longest: number;

  constructor(setting: Setting) {
    const options: FastMmapOptions<string> = {
      numPages: setting.pages,
      pageSize: setting.pageSize,
      startSlots: setting.slots,
      expireTime: setting.lifetime,
      enableStats: true,
      serializer: "text",
      now: this.#clock.now,
      onError: (error) => {
        throw error;
      },
      ...(setting.writeBack
        ? { writeAction: "write_back", writeCb: this.#calls.writeCb } as const
        : {}),
    };
    this.#cache = new FastMmap(options);
    this.#longest = 300;
  }

  replay(calls: Call[]): Json[] {
    return calls.map(([name, ...rest]) => {
      // deno-lint-ignore no-explicit-any -- as JSON has them
      const result: Json = this.#make(name, rest as any[]);
      const written = this.#calls.take().map(([, key, value]) => [key, value ?? null]);
      return [result, written] as Json[];
    });
  }

  // deno-lint-ignore no-explicit-any -- as JSON has them
  #make(name: string, [first, second, third]: any[]): Json {
    const cache = this.#cache;
    const options = (given: Record<string, number> | string | null | undefined) => {
      if (typeof given !== "object" || given === null) return given ?? undefined;
      return { expireTime: given.expire_time, expireOn: given.expire_on };
    };
    switch (name) {
      case "time":
        this.#clock.second = first;
        return null;
      case "get":
        return cache.get(first) ?? null;
      case "set":
        return cache.set(first, second ?? undefined, options(third));
      case "remove":
        return cache.remove(first);
      case "expire":
        return cache.expire(first);
      case "getAndSet": {
        const [value, stored] = cache.getAndSet(first, (_key, old) => {
          if (second === null) return undefined;
          const value = ((old ?? "") + second).slice(-this.#longest);
          return [value, options(third) as Record<string, number>];
        });
        return [value ?? null, stored];
      }
      case "getAndRemove": {
        const [value, removed] = cache.getAndRemove(first);
        return [value ?? null, removed];
      }
      case "multiSet":
        return cache.multiSet(first, second);
      case "multiGet":
        return Object.fromEntries(cache.multiGet(first, second)) as Json;
      case "getKeys":
        return cache.getKeys(2).map(({ key, value, lastAccess, expireOn }) => {
          return [key as string, value ?? null, lastAccess, expireOn];
        });
      case "clear":
        cache.clear();
        return null;
      case "purge":
        cache.purge();
        return null;
      case "empty":
        cache.empty(Boolean(first));
        return null;
      case "statistics": {
        const { reads, hits } = cache.getStatistics(Boolean(first));
        return [reads, hits];
      }
      default:
        throw new Error(`no call ${name}`);
    }
  }

  get evictions(): number {
    return this.#cache.getStatistics().evictions;
  }

  [Symbol.dispose](): void {
    this.#cache.close();
  }
}

async function perl(setting: Setting, calls: Call[]): Promise<Json[]> {
  using file = temporaryFile();
  const child = new Deno.Command("perl", {
    args: [fileURLToPath(import.meta.resolve("./cache_oracle.pl"))],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const options = {
    num_pages: setting.pages,
    page_size: setting.pageSize,
    start_slots: setting.slots,
    expire_time: setting.lifetime,
    enable_stats: 1,
    write_action: setting.writeBack ? "write_back" : "write_through",
  };
  const writer = child.stdin.getWriter();
  const task = JSON.stringify({ file: file.path, options, calls }) + "\n";
  const written = writer.write(new TextEncoder().encode(task)).then(() => writer.close());
  const { success, stdout } = await child.output();
  await written;
  assert.ok(success, "Perl failed");
  return JSON.parse(new TextDecoder().decode(stdout));
}

const reason = missing("Cache::FastMmap");
if (reason !== "") console.log(`Cache::FastMmap is not compared with: ${reason}`);

let evictions = 0;

for (const seed of seeds) {
  Deno.test({
    name: `${callsPerSeed} calls of seed ${seed} do what they do in Cache::FastMmap`,
    ignore: reason !== "",
    async fn() {
      const random = generator(seed);
      const setting = settingOf(random);
      const calls = new Generated(random, setting).list();
      const expected = await perl(setting, calls);
      using ours = new Ours(setting);
      const actual = ours.replay(calls);
      evictions += ours.evictions;
      calls.forEach((call, index) => {
        const where = `call ${index} of ${JSON.stringify(setting)}: ${JSON.stringify(call)}`;
        assert.deepEqual(actual[index], expected[index], where);
      });
    },
  });
}

Deno.test({
  name: "the calls compared with Cache::FastMmap made entries go",
  ignore: reason !== "",
  fn: () => assert.ok(evictions > 1000, `${evictions} evictions`),
});
