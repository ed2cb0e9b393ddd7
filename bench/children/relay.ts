// The least a program can do to call an API for somebody who pays: node:http, JSON, a request over a kept connection,
// base64, and one commit of what is left and what was called. What a pool adds to this is its price.
import { Agent, createServer, type IncomingMessage, request as requestOf } from "node:http";
import { text } from "node:stream/consumers";
import { openBare, serveBare } from "../lib/bare-program.ts";

interface Call {
  readonly access_token: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const [path, apiUrl] = process.argv.slice(2);
if (path === undefined || apiUrl === undefined) throw new Error("usage: relay.ts DATABASE API");

const db = openBare(path);
db.exec("CREATE TABLE tokens (id TEXT PRIMARY KEY, balance INTEGER NOT NULL)");
db.exec("CREATE TABLE calls (id INTEGER PRIMARY KEY, token TEXT NOT NULL, cost INTEGER NOT NULL)");
const begin = db.prepare("BEGIN IMMEDIATE");
const commit = db.prepare("COMMIT");
const open = db.prepare("INSERT INTO tokens VALUES (?, 1000000000) ON CONFLICT DO NOTHING");
const pay = db.prepare("UPDATE tokens SET balance = balance - 1 WHERE id = ? RETURNING balance");
const note = db.prepare("INSERT INTO calls (token, cost) VALUES (?, 1)");
const agent = new Agent({ keepAlive: true });

function forward({ method, path, headers, body }: Call): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = { ...headers, authorization: "Bearer bench", "content-length": Buffer.byteLength(body) };
    requestOf(`${apiUrl}${path}`, { method, agent, headers: sent }, resolve).on("error", reject).end(body);
  });
}

function settle(token: string): number {
  begin.run();
  open.run(token);
  const left = pay.get(token) as { readonly balance: number };
  note.run(token);
  commit.run();
  return left.balance;
}

async function relay(asked: string): Promise<string> {
  const call = JSON.parse(asked) as Call;
  const answer = await forward(call);
  const body = Buffer.from(await text(answer)).toString("base64");
  const { statusCode, headers } = answer;
  const balance = settle(call.access_token);
  return JSON.stringify({
    success: true,
    status_code: statusCode,
    headers,
    body_b64: body,
    balance_remaining: balance,
  });
}

const server = createServer({ keepAliveTimeout: 120_000 }, async (request, response) => {
  const answer = await relay(await text(request));
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(answer),
  });
  response.end(answer);
});

serveBare(server);
