// The least a program can do to take a signed message durably: node:http, JSON.parse, one Ed25519 verification, one
// insert with the group commit a node uses. What a node adds to this is its price.
import { createPublicKey, type KeyObject, verify as verifyInline } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import { promisify } from "node:util";
import { openBare, serveBare } from "../lib/bare-program.ts";

interface Message {
  readonly message_id: string;
  readonly content: string;
  readonly from_agent_id: string;
  readonly timestamp: string;
  readonly signature_hex: string;
}

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error("usage: probe.ts DATABASE");

const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const verifyOnThread = promisify(verifyInline);
const keys = new Map<string, KeyObject>();
let checking = 0;

const db = openBare(path);
db.exec("CREATE TABLE messages (id TEXT PRIMARY KEY, body TEXT NOT NULL)");
const begin = db.prepare("BEGIN IMMEDIATE");
const commit = db.prepare("COMMIT");
const insert = db.prepare("INSERT INTO messages VALUES (?, ?)");
let waiting: { readonly message: Message; readonly text: string; readonly response: ServerResponse }[] = [];

function keyOf(hex: string): KeyObject {
  const known = keys.get(hex);
  if (known) return known;
  const der = Buffer.concat([SPKI_PREFIX, Buffer.from(hex, "hex")]);
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  keys.set(hex, key);
  return key;
}

/** In line for a lone message, on the thread pool for several: as a node does it. */
async function isGenuine(message: Message): Promise<boolean> {
  const { from_agent_id: from, message_id: id, timestamp, content } = message;
  const text = Buffer.from(`${from}\n${id}\n${timestamp}\n${content}`);
  const signature = Buffer.from(message.signature_hex, "hex");
  checking++;
  if (checking === 1) {
    setImmediate(() => checking--);
    return verifyInline(null, text, keyOf(from), signature);
  }
  try {
    return await verifyOnThread(null, text, keyOf(from), signature);
  } finally {
    checking--;
  }
}

function commitWaiting(): void {
  const group = waiting;
  waiting = [];
  begin.run();
  for (const { message, text } of group) insert.run(message.message_id, text);
  commit.run();
  for (const { response } of group) answer(response, 200, '{"success":true,"queued":true}');
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

async function take(text: string, response: ServerResponse): Promise<void> {
  const message = JSON.parse(text) as Message;
  if (!(await isGenuine(message))) return answer(response, 403, '{"error":"Invalid signature"}');
  waiting.push({ message, text, response });
  if (waiting.length === 1) setImmediate(commitWaiting);
}

const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    take(Buffer.concat(chunks).toString(), response).catch((error: unknown) =>
      answer(response, 400, JSON.stringify({ error: String(error) })),
    );
  });
});

serveBare(server);
