import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into by checks
export type Any = any;

export interface CallOptions {
  readonly method?: string;
  /** An API key or a session token. */
  readonly bearer?: string | undefined;
  readonly body?: object | undefined;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that must be answered with `status` (default 200); its JSON. */
export async function call(url: string, options: CallOptions = {}): Promise<Any> {
  const answer = await fetch(url, {
    method: options.method ?? (options.body === undefined ? "GET" : "POST"),
    headers: {
      ...(options.body !== undefined && { "content-type": "application/json" }),
      ...(options.bearer !== undefined && { authorization: `Bearer ${options.bearer}` }),
      ...options.headers,
    },
    ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
  });
  const text = await answer.text();
  assert.equal(answer.status, options.status ?? 200, `${new URL(url).pathname}: ${text.slice(0, 400)}`);
  return text === "" ? undefined : JSON.parse(text);
}

/** Why the five commits cannot be made as the quick start says. */
export function curlMissing(): string | undefined {
  return spawnSync("curl", ["--version"], { stdio: "ignore" }).status === 0 ? undefined : "there is no curl";
}

/** A POST by curl, as a person types it. */
export async function curl(url: string, key: string, body: object): Promise<Any> {
  const { stdout } = await run("curl", [
    ...["--silent", "--show-error", "--fail-with-body", "--max-time", "15", "-X", "POST", url],
    ...["-H", `Authorization: Bearer ${key}`, "-H", "Content-Type: application/json"],
    ...["-d", JSON.stringify(body)],
  ]);
  return JSON.parse(stdout);
}
