/**
 * Which format a client gets: what its `Accept` header asks for, as Prometheus 3 understands it.
 *
 * @module
 */

import { Render } from "../ffi/native.ts";

/** A format of an exposition. */
export interface Format {
  /** Flags of a render. */
  readonly flags: number;
  /** As the response's header says it. */
  readonly contentType: string;
}

/** What can be served, the best for a client that takes any of it first. */
const offers = [
  { type: "text", subtype: "plain", version: "0.0.4", flags: 0 },
  { type: "text", subtype: "plain", version: "1.0.0", flags: 0 },
  {
    type: "application",
    subtype: "openmetrics-text",
    version: "1.0.0",
    flags: Render.openMetrics,
  },
  // Without a version it is this one, as for Prometheus's own libraries.
  {
    type: "application",
    subtype: "openmetrics-text",
    version: "0.0.1",
    flags: Render.openMetrics,
  },
] as const;

type Offer = (typeof offers)[number];

/** How names outside of Prometheus's own set are printed, by what `escaping=` says. */
const escapings: ReadonlyMap<string, number> = new Map([
  ["allow-utf-8", 0],
  ["underscores", Render.escapeUnderscores],
  ["dots", Render.escapeDots],
  ["values", Render.escapeValues],
]);
/** For clients that do not say. */
const usualEscaping = "underscores";

/** One of the ranges of an `Accept` header. */
interface Range {
  readonly type: string;
  readonly subtype: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
  /** Where it stands in the header. */
  readonly position: number;
}

/** What is between separators. */
const pieces = {
  ",": /(?:[^,"]|"(?:\\.|[^"\\])*"?)+/g,
  ";": /(?:[^;"]|"(?:\\.|[^"\\])*"?)+/g,
};

/** Splits at a separator that is not between quotes. */
function split(text: string, separator: "," | ";"): string[] {
  return text.match(pieces[separator]) ?? [];
}

/** A parameter such as `version="0.0.4"`. */
function parameterOf(text: string): [name: string, value: string] {
  const at = text.indexOf("=");
  if (at < 0) return [text.trim().toLowerCase(), ""];
  const value = text.slice(at + 1).trim();
  const unquoted = /^"(.*)"$/s.exec(value)?.[1].replace(/\\(.)/gs, "$1") ?? value;
  return [text.slice(0, at).trim().toLowerCase(), unquoted];
}

/**
 * A quality between 0 and 1 with up to three decimals; 1 when there is none, 0 for anything else.
 *
 * @param text what stands behind `q=`
 */
export function qualityOf(text: string | undefined): number {
  if (text === undefined) return 1;
  return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Number(text) : 0;
}

function rangesOf(accept: string): Range[] {
  return split(accept, ",").flatMap((text, position) => {
    const [media, ...rest] = split(text, ";");
    const match = /^\s*([^\s/]+)\/([^\s/]+)\s*$/.exec(media ?? "");
    if (match === null) return [];
    const parameters = new Map(rest.map(parameterOf));
    return [{
      type: match[1].toLowerCase(),
      subtype: match[2].toLowerCase(),
      parameters,
      quality: qualityOf(parameters.get("q")),
      position,
    }];
  });
}

/** How exactly a range means an offer: 0 not at all, 1 as anything, up to 4 with its version. */
function specificity({ type, subtype, parameters }: Range, offer: Offer): number {
  if (type === "*" && subtype === "*") return 1;
  if (type !== offer.type) return 0;
  if (subtype === "*") return 2;
  if (subtype !== offer.subtype) return 0;
  const version = parameters.get("version");
  if (version === undefined || version === "") return 3;
  return version === offer.version ? 4 : 0;
}

/** A range that asks for a type without its version means the one that Prometheus takes then. */
function isMeant({ offer, specificity }: Candidate): boolean {
  return specificity === 3 && (offer.version === "0.0.4" || offer.version === "0.0.1");
}

interface Candidate {
  readonly offer: Offer;
  readonly range: Range;
  readonly specificity: number;
}

/** The range that speaks for an offer: the most specific one. */
function candidateOf(offer: Offer, ranges: readonly Range[]): Candidate[] {
  let best: Candidate | undefined;
  for (const range of ranges) {
    const exact = specificity(range, offer);
    if (exact > (best?.specificity ?? 0)) best = { offer, range, specificity: exact };
  }
  return best !== undefined && best.range.quality > 0 ? [best] : [];
}

/** Better first: quality, then how exactly it was asked for, then the client's order, then ours. */
function compare(a: Candidate, b: Candidate): number {
  return b.range.quality - a.range.quality ||
    Math.min(b.specificity, 3) - Math.min(a.specificity, 3) ||
    a.range.position - b.range.position ||
    Number(isMeant(b)) - Number(isMeant(a));
}

function formatOf({ type, subtype, version, flags }: Offer, asked: string | undefined): Format {
  const known = asked !== undefined && escapings.has(asked);
  const escaping = known ? asked : usualEscaping;
  const contentType = `${type}/${subtype}; version=${version}; charset=utf-8`;
  // The oldest format is also read by what never heard of escaping: its header is as it always was.
  const silent = !known && version === "0.0.4";
  return {
    flags: flags | escapings.get(escaping)!,
    contentType: silent ? contentType : `${contentType}; escaping=${escaping}`,
  };
}

/**
 * The format for an `Accept` header: of what it asks for with the highest quality, the most specific;
 * text format 0.0.4 without a header, or if nothing in it can be served.
 *
 * Names that older Prometheus versions cannot read are escaped by underscores unless the client asks
 * for another `escaping`.
 *
 * @param accept the header
 * @returns the format
 */
export function negotiate(accept: string | null | undefined): Format {
  const ranges = rangesOf(accept ?? "");
  const [best] = offers.flatMap((offer) => candidateOf(offer, ranges)).sort(compare);
  if (best === undefined) return formatOf(offers[0], undefined);
  return formatOf(best.offer, best.range.parameters.get("escaping"));
}
