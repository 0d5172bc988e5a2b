// Reads the three formats of shared libraries: as much of them as the tests of the libraries ask for.

import { createHash } from "node:crypto";

/** What a library tells about itself. */
export interface Binary {
  exports: string[];
  /** What it wants of other libraries. */
  imports: string[];
  /** The other libraries. */
  needed: string[];
  /** Names of its own that are not exported: there for debuggers only. */
  localNames: string[];
}

const decoder = new TextDecoder();

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A text that ends with a zero byte. */
function textAt(bytes: Uint8Array, offset: number): string {
  return decoder.decode(bytes.subarray(offset, bytes.indexOf(0, offset)));
}

// ---- ELF ---------------------------------------------------------------------------------------

/** A library of Linux. An import is `name` or `name@version`. */
export function readElf(bytes: Uint8Array): Binary {
  const data = view(bytes);
  const u16 = (at: number) => data.getUint16(at, true);
  const u32 = (at: number) => data.getUint32(at, true);
  const u64 = (at: number) => Number(data.getBigUint64(at, true));
  const sections = Array.from({ length: u16(60) }, (_, i) => {
    const at = u64(40) + i * u16(58);
    return { type: u32(at + 4), offset: u64(at + 24), size: u64(at + 32), link: u32(at + 40) };
  });
  const byType = (type: number) => sections.find((section) => section.type === type);
  const names = (section: { link: number }) => sections[section.link].offset;

  const dynamic = byType(6)!, symbols = byType(11)!;
  const needed: string[] = [];
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    if (u64(at) === 1) needed.push(textAt(bytes, names(dynamic) + u64(at + 8)));
  }
  const versions = new Map<number, string>();
  const wanted = byType(0x6ffffffe);
  for (let at = wanted?.offset ?? 0, more = wanted !== undefined; more;) {
    for (let aux = at + u32(at + 8), i = 0; i < u16(at + 2); i++, aux += u32(aux + 12)) {
      versions.set(u16(aux + 6), textAt(bytes, names(wanted!) + u32(aux + 8)));
    }
    more = u32(at + 12) !== 0;
    at += u32(at + 12);
  }
  const versionOf = byType(0x6fffffff);
  const exports: string[] = [], imports: string[] = [];
  for (let i = 1; i < symbols.size / 24; i++) {
    const at = symbols.offset + i * 24;
    const name = textAt(bytes, names(symbols) + u32(at));
    if (u16(at + 6) !== 0) {
      exports.push(name);
      continue;
    }
    const version = versionOf && versions.get(u16(versionOf.offset + i * 2) & 0x7fff);
    imports.push(version === undefined ? name : `${name}@${version}`);
  }
  const full = byType(2); // .symtab, beside the .dynsym that the loader uses
  return { exports, imports, needed, localNames: full === undefined ? [] : [".symtab"] };
}

// ---- Mach-O ------------------------------------------------------------------------------------

interface LoadCommand {
  type: number;
  at: number;
}

function loadCommands(bytes: Uint8Array): LoadCommand[] {
  const data = view(bytes);
  const commands: LoadCommand[] = [];
  for (let i = 0, at = 32; i < data.getUint32(16, true); i++) {
    commands.push({ type: data.getUint32(at, true), at });
    at += data.getUint32(at + 4, true);
  }
  return commands;
}

/** A library of macOS; its names begin with the underscore that C's have there. */
export function readMachO(bytes: Uint8Array): Binary {
  const data = view(bytes);
  const commands = loadCommands(bytes);
  const symtab = commands.find(({ type }) => type === 2)!.at;
  const [first, count, strings] = [8, 12, 16].map((at) => data.getUint32(symtab + at, true));
  const binary: Binary = { exports: [], imports: [], needed: [], localNames: [] };
  for (let i = 0; i < count; i++) {
    const at = first + i * 16, type = data.getUint8(at + 4);
    const name = textAt(bytes, strings + data.getUint32(at, true));
    if ((type & 1) === 0) binary.localNames.push(name);
    else if ((type & 0x0e) === 0) binary.imports.push(name);
    else binary.exports.push(name);
  }
  for (const { type, at } of commands) {
    if (type === 0xc) binary.needed.push(textAt(bytes, at + data.getUint32(at + 8, true)));
  }
  return binary;
}

/** The oldest macOS that a library says it runs on, as `major.minor`. */
export function oldestMacOS(bytes: Uint8Array): string {
  const data = view(bytes);
  const { at } = loadCommands(bytes).find(({ type }) => type === 0x32)!; // LC_BUILD_VERSION
  const version = data.getUint32(at + 12, true);
  return `${version >>> 16}.${version >>> 8 & 0xff}`;
}

/**
 * The names behind the stubs, and behind the addresses that a library of macOS is given when it is
 * loaded.
 */
export function indirectNames(bytes: Uint8Array): string[] {
  const data = view(bytes);
  const u32 = (at: number) => data.getUint32(at, true);
  const commands = loadCommands(bytes);
  const symtab = commands.find(({ type }) => type === 2)!.at;
  const dysymtab = commands.find(({ type }) => type === 0xb)!.at;
  return Array.from({ length: u32(dysymtab + 60) }, (_, i) => {
    const symbol = u32(u32(dysymtab + 56) + i * 4);
    return textAt(bytes, u32(symtab + 16) + u32(u32(symtab + 8) + symbol * 16));
  });
}

/** A code signature without a certificate. */
export interface Signature {
  isAdHoc: boolean;
  identifier: string;
  /** How many of the hashes of pages are not those of the pages. */
  wrongPages: number;
  pages: number;
  /** Bytes of the file, from its start, that the hashes cover. */
  covered: number;
  /** Where the signature itself begins, which has to be their end. */
  offset: number;
}

/** The signature that a library of macOS carries, with every hash of it looked at. */
export function readSignature(bytes: Uint8Array): Signature | undefined {
  const data = view(bytes);
  const command = loadCommands(bytes).find(({ type }) => type === 0x1d); // LC_CODE_SIGNATURE
  if (command === undefined) return undefined;
  const offset = data.getUint32(command.at + 8, true);
  const u32 = (at: number) => data.getUint32(at); // big-endian from here on
  if (u32(offset) !== 0xfade0cc0) throw new Error("the signature is no superblob");
  let directory = 0;
  for (let i = 0; i < u32(offset + 8); i++) {
    if (u32(offset + 12 + i * 8) === 0) directory = offset + u32(offset + 16 + i * 8);
  }
  if (u32(directory) !== 0xfade0c02) throw new Error("the signature has no code directory");
  const [hashes, identifier] = [u32(directory + 16), u32(directory + 20)];
  const [pages, covered] = [u32(directory + 28), u32(directory + 32)];
  const [hashSize, hashType] = [bytes[directory + 36], bytes[directory + 37]];
  if (hashType !== 2 || hashSize !== 32) throw new Error("its hashes are not SHA-256");
  const pageSize = 1 << bytes[directory + 39];
  let wrongPages = 0;
  for (let i = 0; i < pages; i++) {
    const page = bytes.subarray(i * pageSize, Math.min((i + 1) * pageSize, covered));
    const at = directory + hashes + i * 32;
    const stored = bytes.subarray(at, at + 32).toHex();
    if (createHash("sha256").update(page).digest("hex") !== stored) wrongPages++;
  }
  return {
    isAdHoc: (u32(directory + 12) & 2) !== 0,
    identifier: textAt(bytes, directory + identifier),
    ...{ wrongPages, pages, covered, offset },
  };
}

// ---- PE ----------------------------------------------------------------------------------------

/** A library of Windows. */
export function readPe(bytes: Uint8Array): Binary {
  const data = view(bytes);
  const u16 = (at: number) => data.getUint16(at, true);
  const u32 = (at: number) => data.getUint32(at, true);
  const header = u32(60), optional = header + 24;
  const sections = Array.from({ length: u16(header + 6) }, (_, i) => {
    const at = optional + u16(header + 20) + i * 40;
    return { address: u32(at + 12), size: u32(at + 16), offset: u32(at + 20) };
  });
  const place = (address: number) => {
    const section = sections.find((s) => address >= s.address && address < s.address + s.size)!;
    return address - section.address + section.offset;
  };
  const directory = (i: number) => place(u32(optional + 112 + i * 8));
  const table = directory(0);
  const exports = Array.from(
    { length: u32(table + 24) },
    (_, i) => textAt(bytes, place(u32(place(u32(table + 32)) + i * 4))),
  );
  const imports: string[] = [], needed: string[] = [];
  for (let at = directory(1); u32(at + 12) !== 0; at += 20) {
    needed.push(textAt(bytes, place(u32(at + 12))));
    for (let entry = place(u32(at)); u32(entry) !== 0; entry += 8) {
      imports.push(textAt(bytes, place(u32(entry)) + 2));
    }
  }
  return { exports, imports, needed, localNames: u32(header + 12) === 0 ? [] : ["COFF symbols"] };
}
