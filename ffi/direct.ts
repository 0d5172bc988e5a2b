/**
 * Additions made in JavaScript, to the thread's own cell in the mapped file: a call to C and back takes
 * longer than everything that `pts_add` does.
 *
 * What is done is the same: look whether the generations of the series and of the store are still those
 * under which the cell is current, then load, add and store. Why it may be done here:
 *
 * - D1 Order. On x86_64 every load is an acquire and every store a release. What is left is V8, which
 *   cannot know whether a typed array lies over shared memory: it makes one machine instruction of an
 *   aligned access, and invents, repeats and tears none. Elsewhere additions stay calls
 *   ({@linkcode isDirect}).
 * - D2 Old looks. JavaScript lets a loop use an earlier look again, though none from before a call that
 *   V8 cannot see through or an operation of `Atomics`. An addition counts as made when its look was: it
 *   is beside whatever other workers do in between. What this thread does itself to end the use of a
 *   cell (removing, giving its place to other labels, closing) is such a call.
 * - D3 Kills. A store that was executed is in the file's memory, whoever is killed then.
 * - D4 Closing. {@linkcode DirectCells.close} is called before the mapping goes: windows then show zeros
 *   instead of the file, and neither generation is ever 0 (a series's could be after 2^32 removes, when
 *   the store's still is not).
 *
 * `tests/models/heads_test.ts` has D2, `tests/direct_test.ts` what else can be seen.
 *
 * @module
 */

import { isGranted } from "./permissions.ts";

/** Whether the processor keeps the order that additions need (D1). */
export const isDirect: boolean = Deno.build.arch === "x86_64";

/** How much of the mapping is shown at once: V8 counts it as memory in use. All regions are aligned to it. */
const WINDOW_BYTES = 65_536;

const noWords = new Int32Array(WINDOW_BYTES / 4);
const noDoubles = new Float64Array(WINDOW_BYTES / 8);

/** A part of the mapping; zeros until it is shown and once it is hidden. */
class Window {
  words: Int32Array = noWords;
  doubles: Float64Array = noDoubles;

  show(buffer: ArrayBuffer): void {
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
  }

  hide(): void {
    this.words = noWords;
    this.doubles = noDoubles;
  }
}

/** What a cell is seen through, and the generations of its block's tag. */
interface Sight {
  /** Of the series's generation, a word at this index. */
  readonly series: Window;
  readonly seriesAt: number;
  readonly seriesGeneration: number;
  /** Of the store's generation, its first word. */
  readonly store: Window;
  readonly storeGeneration: number;
  /** Of the cell, a double at this index. */
  readonly block: Window;
  readonly cellAt: number;
}

/** A thread's own cell of a series, for as long as it is current. */
export class DirectCell {
  readonly #series: Window;
  readonly #seriesAt: number;
  readonly #seriesGeneration: number;
  readonly #store: Window;
  readonly #storeGeneration: number;
  readonly #block: Window;
  readonly #cellAt: number;

  constructor(sight: Sight) {
    this.#series = sight.series;
    this.#seriesAt = sight.seriesAt;
    this.#seriesGeneration = sight.seriesGeneration;
    this.#store = sight.store;
    this.#storeGeneration = sight.storeGeneration;
    this.#block = sight.block;
    this.#cellAt = sight.cellAt;
  }

  /** Adds and says so; or finds that the cell is not current any more, and does nothing. */
  add(amount: number): boolean {
    if (this.#series.words[this.#seriesAt] !== this.#seriesGeneration) return false;
    if (this.#store.words[0] !== this.#storeGeneration) return false;
    this.#block.doubles[this.#cellAt] += amount;
    return true;
  }
}

/** A cell of no store, which is current for the generation 0. */
function cellOfNoStore(seriesGeneration: number): DirectCell {
  const [zeros, block] = [new Window(), new Window()];
  block.show(new ArrayBuffer(8));
  const series = { series: zeros, seriesAt: 0, seriesGeneration };
  return new DirectCell({ ...series, store: zeros, storeGeneration: 0, block, cellAt: 0 });
}

/** Stands for a cell that nobody has asked for yet. */
export const unknownCell: DirectCell = cellOfNoStore(1);
/** Stands for none: every addition is a call. */
export const noCell: DirectCell = cellOfNoStore(1);

// V8 compiles an addition for the numbers that it has met there. As long as those are whole it goes by way of
// integers, which takes twice as long, and is done over at the first fraction: so it meets fractions first.
const practiceCell = cellOfNoStore(0);
for (let i = 0; i < 100; i++) practiceCell.add(0.5);

/** pts_direct_read of one attachment. */
export type ReadDirect = (handle: number, out: Uint32Array<ArrayBuffer>) => number;

/** pts_direct: five 64-bit members, two of 32 bits. */
const struct = new Uint32Array(12);
const wide = (index: number) => struct[2 * index] + struct[2 * index + 1] * 2 ** 32;
const [BASE, SIZE, SERIES_AT, STORE_AT, CELL_AT] = [0, 1, 2, 3, 4];
const [SERIES_GENERATION, STORE_GENERATION] = [10, 11];

/** The direct cells of one attachment, and the windows that they are seen through. */
export class DirectCells {
  readonly #read: ReadDirect;
  readonly #windows = new Map<number, Window>();

  constructor(read: ReadDirect) {
    this.#read = read;
  }

  /** The cell of a handle, or {@linkcode noCell}. */
  find(handle: number): DirectCell {
    if (!isDirect) return noCell;
    try {
      return this.#read(handle, struct) === 0 ? this.#cell() : noCell;
    } catch {
      // The addition before was made: no cell is no reason for it to fail. (Memory, or a program that has
      // taken `Deno` away.)
      return noCell;
    }
  }

  /** The cell that pts_direct tells of. */
  #cell(): DirectCell {
    const seriesAt = wide(SERIES_AT);
    const cellAt = wide(CELL_AT);
    const series = this.#window(seriesAt - seriesAt % WINDOW_BYTES, WINDOW_BYTES);
    const store = this.#window(wide(STORE_AT), 8);
    const block = this.#window(cellAt - cellAt % WINDOW_BYTES, WINDOW_BYTES);
    if (series === undefined || store === undefined || block === undefined) return noCell;
    return new DirectCell({
      series,
      seriesAt: seriesAt % WINDOW_BYTES >> 2,
      seriesGeneration: struct[SERIES_GENERATION] | 0,
      store,
      storeGeneration: struct[STORE_GENERATION] | 0,
      block,
      cellAt: cellAt % WINDOW_BYTES >> 3,
    });
  }

  /** Hides the file from every cell; they are of no use any more. */
  close(): void {
    for (const window of this.#windows.values()) window.hide();
    this.#windows.clear();
  }

  /** What pts_direct tells of the mapping from there; undefined without the permission to see it. */
  #window(from: number, bytes: number): Window | undefined {
    let window = this.#windows.get(from);
    if (window !== undefined) return window;
    // The program may have given the permission back: then nobody is to be asked for it now.
    if (!isGranted({ name: "ffi" })) return undefined;
    const pointer = Deno.UnsafePointer.create(BigInt(wide(BASE) + from));
    if (pointer === null) return undefined;
    window = new Window();
    const length = Math.min(bytes, wide(SIZE) - from);
    window.show(Deno.UnsafePointerView.getArrayBuffer(pointer, length));
    this.#windows.set(from, window);
    return window;
  }
}
