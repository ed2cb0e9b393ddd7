import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { resolve } from "node:path";
import { promisify } from "node:util";
import type { Checks } from "../checks.ts";
import type { NodeProcess } from "../world.ts";

interface Place {
  readonly node: NodeProcess;
  readonly token: string;
}

const GIGABYTE = 2 ** 30;
const CHUNK = Buffer.alloc(64 * 1024, 0x20);
const PAUSE_MS = 5;

/** What a node answers to a body that is sent for as long as it takes any, and how much it took. */
function flooded(
  { node, token }: Place,
  headers: Record<string, string>,
): Promise<{ status: number; sent: number }> {
  return new Promise((done, failed) => {
    let sent = 0;
    const call = request(`${node.url}/a2a`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "a2a-version": "1.0", ...headers },
    });
    call.on("response", (answer) => {
      done({ status: answer.statusCode ?? 0, sent });
      answer.resume();
      call.destroy();
    });
    call.on("error", (error) => failed(error));
    // A pause after each chunk: who is refused in the middle of a write may not hear why.
    const more = () => {
      if (call.destroyed) return;
      if (sent >= GIGABYTE) return void call.end();
      sent += CHUNK.byteLength;
      call.write(CHUNK, () => setTimeout(more, PAUSE_MS));
    };
    more();
  });
}

/** Bodies of a gigabyte and of garbage: refused, and the node goes on. */
export async function checkBodies({ check }: Checks, place: Place): Promise<void> {
  await check("a2a: a body of a gigabyte is refused long before its end", async () => {
    for (const [header, value] of [
      ["content-length", String(GIGABYTE)],
      ["transfer-encoding", "chunked"],
    ] as const) {
      const { status, sent } = await flooded(place, { [header]: value });
      assert.equal(status, 413);
      assert.ok(sent < GIGABYTE / 8, `${sent} bytes were taken`);
    }
  });
  await check("a2a: garbage is told what it is", async () => {
    const headers = { authorization: `Bearer ${place.token}`, "a2a-version": "1.0" };
    const codes: number[] = [];
    for (const body of ["", "{", "null", "[]", "\0\xff", '{"jsonrpc":"2.0","id":1,"method":"constructor"}']) {
      const answer = await fetch(`${place.node.url}/a2a`, { method: "POST", headers, body });
      codes.push(((await answer.json()) as { error: { code: number } }).error.code);
    }
    assert.deepEqual(codes, [-32700, -32700, -32600, -32600, -32700, -32601]);
  });
}

/** The card that a reader of a made-up name is told, directly and as if through a proxy, tells the node's own address. */
export async function checkCardAddress({ check }: Checks, { node }: Pick<Place, "node">): Promise<void> {
  await check("a2a: no header of its reader names the address in the card", async () => {
    const evil = { host: "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https" };
    for (const headers of [evil, { ...evil, "x-forwarded-for": "203.0.113.9" }]) {
      const text = await cardText(node, headers);
      assert.ok(text.includes(`"${node.url}/a2a"`), text);
      assert.ok(!text.includes("evil"), text);
    }
  });
}

/** By a plain request: `fetch` takes no other host. */
function cardText(node: NodeProcess, headers: Record<string, string>): Promise<string> {
  return new Promise((done, failed) => {
    const call = request(`${node.url}/.well-known/agent-card.json`, { headers }, (answer) => {
      answer.setEncoding("utf8");
      let told = "";
      answer.on("data", (text: string) => {
        told += text;
      });
      answer.on("end", () => done(told));
    });
    call.on("error", failed);
    call.end();
  });
}

const run = promisify(execFile);

/** The example with curl in the README works as it stands there. */
export async function checkReadme({ check, skip }: Checks, { node, token }: Place): Promise<void> {
  const name = "a2a: the README's example with curl leaves a message";
  const hasCurl = await run("curl", ["--version"]).catch(() => undefined);
  if (!hasCurl) return skip(name, "there is no curl on this machine");
  await check(name, async () => {
    const readme = readFileSync(resolve(import.meta.dirname, "../../README.md"), "utf8");
    const example = [...readme.matchAll(/```sh\n([^`]*)```/g)].find(([, code]) =>
      code?.includes("/a2a"),
    )?.[1];
    assert.ok(example, "the README holds no example of /a2a");
    const command = example.replaceAll("http://127.0.0.1:8100", node.url);
    const { stdout } = await run("sh", ["-euc", command], {
      env: { PATH: process.env.PATH ?? "", TOKEN: token },
    });
    const { result } = JSON.parse(stdout) as { result: { task: { status: { state: string } } } };
    assert.equal(result.task.status.state, "TASK_STATE_SUBMITTED");
  });
}
