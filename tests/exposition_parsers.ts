// Other people's parsers of expositions: client_python's two, and promtool.

import { join } from "node:path";
import { root } from "../tools/run.ts";

const pythonClient = "prometheus-client==0.26.0";
const pythonFolder = join(root, ".native", "exposition-parsers");

/** What client_python found, in its words. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly time: number | undefined;
  readonly exemplar:
    | { labels: Record<string, string>; value: number; time: number | undefined }
    | undefined;
}

/** A metric family and its samples. */
export interface Family {
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

type Raw = [
  name: string,
  labels: Record<string, string>,
  value: string,
  time: string | null,
  exemplar: null | [Record<string, string>, string, string | null],
];
type RawFamily = [name: string, type: string, unit: string, help: string, samples: Raw[]];
type Answer = { error: string } | { families: RawFamily[] };

/** Which parser. */
export type Kind = "text" | "openmetrics";

/** Python with client_python, if it is there; its input and outputs are piped. */
export function python(args: string[]): Deno.Command {
  return new Deno.Command("python3", {
    args,
    env: { PYTHONPATH: pythonFolder, PYTHONDONTWRITEBYTECODE: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

async function succeeds(args: string[]): Promise<string> {
  try {
    const child = python(args).spawn();
    await child.stdin.close();
    const { success, stderr } = await child.output();
    return success ? "" : new TextDecoder().decode(stderr).trim().split("\n").at(-1)!;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Why client_python cannot be used here, or nothing. It is fetched once, into this project's folder. */
export async function missingPython(): Promise<string> {
  const isThere = ["-c", "import prometheus_client.openmetrics.parser"];
  if (await succeeds(isThere) === "") return "";
  const failure = await succeeds([
    ...["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"],
    ...["--upgrade", "--target", pythonFolder, pythonClient],
  ]);
  return failure === "" ? await succeeds(isThere) : `pip cannot fetch ${pythonClient}: ${failure}`;
}

/** Why a program of Debian's package prometheus cannot be used here, or nothing. */
export async function missingProgram(program: "promtool" | "prometheus"): Promise<string> {
  try {
    const { success } = await new Deno.Command(program, {
      args: ["--version"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success ? "" : `${program} does not run`;
  } catch {
    return `${program} is not installed (Debian's package prometheus)`;
  }
}

const float = (text: string) =>
  Number(text === "inf" ? Infinity : text === "-inf" ? -Infinity : text);
const time = (text: string | null) => text === null ? undefined : float(text);

function familyOf([name, type, unit, help, samples]: RawFamily): Family {
  return {
    name,
    type,
    unit,
    help,
    samples: samples.map(([name, labels, value, at, exemplar]) => ({
      name,
      labels,
      value: float(value),
      time: time(at),
      exemplar: exemplar === null ? undefined : {
        labels: exemplar[0],
        value: float(exemplar[1]),
        time: time(exemplar[2]),
      },
    })),
  };
}

/** What client_python makes of expositions: families, or why it refuses. One process for all. */
export async function parse(
  expositions: readonly (readonly [Kind, string])[],
): Promise<(Family[] | string)[]> {
  const child = python([join(root, "tests", "exposition_parsers.py")]).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(expositions)));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const answers = JSON.parse(new TextDecoder().decode(stdout)) as Answer[];
  return answers.map((answer) => "error" in answer ? answer.error : answer.families.map(familyOf));
}

/** What `promtool check metrics` says: nothing, if it is content. */
export async function promtool(text: string): Promise<string> {
  const child = new Deno.Command("promtool", {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return code === 0 ? said.trim() : `exit code ${code}: ${said.trim()}`;
}
