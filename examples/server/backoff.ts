// How long to wait before a worker that died is started again.

const young = 250;
const first = 100;
const longest = 5_000;

/** Restarts at once what has run well, and ever more slowly what dies young. Times in milliseconds. */
export class Backoff {
  #youngDeaths = 0;

  /**
   * The wait before the next start.
   *
   * @param lived how long the worker answered requests before it died
   * @returns 0 the first time, then 100 and doubling up to 5,000 while it keeps dying young
   */
  next(lived: number): number {
    if (lived >= young) this.#youngDeaths = 0;
    const deaths = this.#youngDeaths++;
    return deaths === 0 ? 0 : Math.min(first * 2 ** (deaths - 1), longest);
  }
}
