// The routes of the service: plain JSON, of different cost, and nothing about metrics.

import { createHash } from "node:crypto";

/** A response, and the route that gave it: a name from a short fixed list, safe as a label. */
export interface Answer {
  readonly route: string;
  readonly response: Response;
}

interface Call {
  readonly url: URL;
  readonly params: Record<string, string | undefined>;
}

interface Route {
  readonly path: string;
  readonly about: string;
  readonly answer: (call: Call) => Response | Promise<Response>;
}

const routes: Route[] = [
  { path: "/", about: "this list", answer: listRoutes },
  { path: "/hash", about: "busy: ?text=T hashed ?rounds=N times (1 to 10000)", answer: hash },
  { path: "/slow", about: "idle: answers after ?ms=N milliseconds (0 to 10000)", answer: slow },
  { path: "/items/:id", about: "item 1 to 100, or 404", answer: item },
];

const patterns = routes.map((route) => ({
  ...route,
  pattern: new URLPattern({ pathname: route.path }),
}));

/**
 * Answers a request by its route.
 *
 * @param request the request
 * @returns the response and its route; "other" stands for everything that is no route
 */
export async function answer(request: Request): Promise<Answer> {
  const url = URL.parse(request.url);
  if (url === null) return { route: "other", response: problem(400, "the URL is not valid") };
  for (const { path, pattern, answer } of patterns) {
    const match = pattern.exec({ pathname: url.pathname });
    if (match === null) continue;
    if (request.method !== "GET" && request.method !== "HEAD") {
      const response = problem(405, `${path} answers GET and HEAD`, { allow: "GET, HEAD" });
      return { route: path, response };
    }
    return { route: path, response: await attempt(answer, { url, params: match.pathname.groups }) };
  }
  return { route: "other", response: problem(404, `there is nothing at ${url.pathname}`) };
}

/** A route that fails is an answer too: it is counted like any other. */
async function attempt(answer: Route["answer"], call: Call): Promise<Response> {
  try {
    return await answer(call);
  } catch (error) {
    if (error instanceof RangeError) return problem(400, error.message);
    console.error(error);
    return problem(500, "the server failed; its log says why");
  }
}

function problem(status: number, error: string, headers?: HeadersInit): Response {
  return Response.json({ error }, { status, headers });
}

function listRoutes(): Response {
  return Response.json({ routes: routes.map(({ path, about }) => ({ path, about })) });
}

function hash({ url }: Call): Response {
  const rounds = parameter(url, "rounds", 200, 1, 10_000);
  let digest = url.searchParams.get("text") ?? "hello";
  for (let i = 0; i < rounds; i++) digest = createHash("sha256").update(digest).digest("hex");
  return Response.json({ rounds, digest });
}

async function slow({ url }: Call): Promise<Response> {
  const ms = parameter(url, "ms", 20, 0, 10_000);
  await new Promise((resolve) => setTimeout(resolve, ms));
  return Response.json({ waited: ms });
}

function item({ params }: Call): Response {
  const id = Number(params.id);
  if (!Number.isInteger(id) || id < 1 || id > 100) return problem(404, "items are 1 to 100");
  return Response.json({ id, name: `item ${id}`, price: (id * 37) % 100 });
}

function parameter(url: URL, name: string, preset: number, min: number, max: number): number {
  const text = url.searchParams.get(name);
  const value = text === null ? preset : Number(text);
  if (text === "" || !Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} takes a whole number from ${min} to ${max}`);
  }
  return value;
}
