/**
 * What a request is counted under: a route and a method out of few.
 *
 * @module
 */

import { shown } from "./labels.ts";

/** Patterns of paths, the first that fits counts; or a function that names a request's route. */
export type Routes =
  | readonly (string | URLPattern)[]
  | ((request: Request) => string | null | undefined);

/** Finds the label of a request's route. */
export type RouteOf = (request: Request) => string;

const knownMethods: ReadonlySet<string> = new Set(
  ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"],
);

/** The method, if it is one of HTTP's: a client can send any word. */
export function methodLabel(method: string): string {
  return knownMethods.has(method) ? method : "other";
}

/**
 * How many routes a function may name: what is a mistake, such as one that returns the path, must not
 * fill the store.
 */
const MOST_ROUTES = 500;

/**
 * The function that finds a request's route. It never throws: what goes wrong is an unmatched route,
 * and warned about once.
 *
 * @throws {TypeError} if the routes are neither patterns nor a function
 */
export function routeFinder(
  routes: Routes,
  unmatched: string,
  warn: (message: string) => void,
): RouteOf {
  if (typeof routes === "function") return namedRoutes(routes, unmatched, warn);
  if (!Array.isArray(routes)) {
    throw new TypeError(
      `routes must be an array of patterns or a function, not ${shown(routes)}`,
    );
  }
  const patterns = routes.map(patternOf);
  return (request) => {
    const { url } = request;
    for (const { pattern, label } of patterns) if (pattern.test(url)) return label;
    return unmatched;
  };
}

function patternOf(route: unknown): { pattern: URLPattern; label: string } {
  if (route instanceof URLPattern) {
    const anyHost = route.hostname === "*";
    return { pattern: route, label: anyHost ? route.pathname : route.hostname + route.pathname };
  }
  if (typeof route !== "string" || !/^[/*]/.test(route)) {
    throw new TypeError(
      `a route must be a URLPattern or a path such as "/users/:id", not ${shown(route)}`,
    );
  }
  try {
    return { pattern: new URLPattern({ pathname: route }), label: route };
  } catch (cause) {
    throw new TypeError(`the route ${shown(route)} is no valid pattern of a path`, { cause });
  }
}

function namedRoutes(
  find: (request: Request) => string | null | undefined,
  unmatched: string,
  warn: (message: string) => void,
): RouteOf {
  const names = new Set<string>();
  const warned = new Set<string>();
  const warnOnce = (reason: string, more: string) => {
    if (!warned.has(reason)) warn(`${reason}${more}; such requests are counted as ${unmatched}`);
    warned.add(reason);
  };
  return (request) => {
    let name: unknown;
    try {
      name = find(request);
    } catch (error) {
      warnOnce("the function for routes threw", ` (${String(error)})`);
      return unmatched;
    }
    if (name === undefined || name === null) return unmatched;
    if (typeof name !== "string") {
      warnOnce("the function for routes must return a string", `, not ${shown(name)}`);
      return unmatched;
    }
    if (names.has(name)) return name;
    if (names.size >= MOST_ROUTES) {
      warnOnce(`the function for routes named more than ${MOST_ROUTES} routes`, "");
      return unmatched;
    }
    names.add(name);
    return name;
  };
}
