/**
 * How long an event loop keeps timers waiting.
 *
 * @module
 */

/** How far apart the timers are: often enough to see what matters, too seldom to cost anything. */
const PERIOD_MS = 100;
/** One minute of them. */
const MOST_SAMPLES = 600;

/** The lags of the last minute, in seconds. */
export class LagSamples {
  readonly #ring = new Float64Array(MOST_SAMPLES);
  #next = 0;
  #count = 0;

  /**
   * Adds the lag of one timer. While the loop was busy no other timer could be seen; those that would
   * have been due meanwhile are added, too, or one long wait would be a rare thing however much of the
   * time it took.
   */
  add(lagMs: number): void {
    const lag = Math.max(0, lagMs);
    const count = Math.min(MOST_SAMPLES, 1 + Math.floor(lag / PERIOD_MS));
    for (let missed = 0; missed < count; missed++) {
      this.#ring[this.#next] = (lag - missed * PERIOD_MS) / 1000;
      this.#next = (this.#next + 1) % MOST_SAMPLES;
    }
    this.#count = Math.min(MOST_SAMPLES, this.#count + count);
  }

  /**
   * The values at these ranks: 0.5 is the median, 1 the longest of all.
   *
   * @returns undefined before the first sample
   */
  quantiles(ranks: readonly number[]): number[] | undefined {
    if (this.#count === 0) return undefined;
    const sorted = this.#ring.slice(0, this.#count).sort();
    return ranks.map((rank) => sorted[Math.max(0, Math.ceil(rank * this.#count) - 1)]);
  }
}

/** Measures until it is stopped. */
export class EventLoopLag {
  readonly samples: LagSamples = new LagSamples();
  readonly stop: () => void;

  constructor() {
    let due = performance.now() + PERIOD_MS;
    this.stop = repeat(() => {
      const now = performance.now();
      this.samples.add(now - due);
      due = now + PERIOD_MS;
    }, PERIOD_MS);
  }
}

/**
 * Calls a function again and again, which keeps no program alive.
 *
 * @returns what ends it
 */
export function repeat(call: () => void, periodMs: number): () => void {
  // An object, or a number in other versions of Deno; both may be given to unrefTimer.
  const timer = setInterval(call, periodMs) as unknown as number;
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}
