// The agent that sends: a connected peer in a process of its own, with the webhook that its messages name. It
// signs a round's messages beforehand, sends them, and tells how long that took.
import { createPublicKey, generateKeyPairSync, hash, randomBytes, sign, verify } from "node:crypto";
import { type AddressInfo, createServer } from "node:net";
import type { Command, RoundOutcome } from "../lib/load.ts";
import { createCutter, type Lane, openLane, postBytes } from "../lib/raw-http.ts";

const CONTENT_BYTES = 450;
const MESSAGE_PATH = "/__darkmatter__/message";
const RECEIVED =
  'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{"success":true}';
/** How long after the last answer a round waits for the last callback. */
const CALLBACKS_WITHIN_MS = 30_000;
/** Of the receipts of a round, one of so many is verified, after the round. */
const RECEIPT_SAMPLE = 50;
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const agentId = publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex");
const lanes = new Map<string, Lane[]>();
let home = "";
let called = 0;
let onCall = () => {};

const webhook = createServer({ noDelay: true }, (socket) => {
  const cut = createCutter(({ body }) => {
    socket.write(RECEIVED);
    if (!body.includes('"type":"received"')) return;
    called++;
    onCall();
  });
  socket.setEncoding("latin1").on("data", cut);
  socket.on("error", () => socket.destroy());
});

function signedMessage(number: number, receipts: boolean): string {
  const messageId = `msg-${randomBytes(6).toString("hex")}`;
  const content = `${number} ${randomBytes(CONTENT_BYTES).toString("base64")}`.slice(0, CONTENT_BYTES);
  const linked = { receipts: 1, origin_agent_id: agentId, commit: randomBytes(32).toString("hex") };
  const timestamp = new Date().toISOString().replace("Z", "+00:00");
  const text = `${agentId}\n${messageId}\n${timestamp}\n${content}`;
  return JSON.stringify({
    message_id: messageId,
    content,
    webhook: `${home}/__darkmatter__/webhook/${messageId}`,
    hops_remaining: 10,
    metadata: receipts ? linked : {},
    timestamp,
    from_agent_id: agentId,
    from_public_key_hex: agentId,
    signature_hex: sign(null, Buffer.from(text), privateKey).toString("hex"),
  });
}

function lanesTo(url: string, count: number): Lane[] {
  const open = lanes.get(url) ?? [];
  while (open.length < count) open.push(openLane(url, fail));
  lanes.set(url, open);
  return open.slice(0, count);
}

function fail(error: Error): never {
  throw error;
}

/** Throws for a receipt that is not its giver's word that it has this message. */
function checkReceipt(request: Buffer, answer: string): void {
  const message = JSON.parse(request.subarray(request.indexOf("{")).toString("utf8"));
  const { agent_id: by, message_id: id, rung, at, commit, detail, sig } = JSON.parse(answer).receipt;
  const content = hash("sha256", message.content);
  const lines = [by, id, agentId, content, rung, at, commit ?? "-", detail === null ? "-" : detail];
  const key = createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, Buffer.from(by, "hex")]),
    format: "der",
    type: "spki",
  });
  const text = Buffer.from(["darkmatter.receipt.v1", ...lines].join("\n"));
  const isGood = id === message.message_id && rung === "stored";
  if (!isGood || !verify(null, text, key, Buffer.from(sig, "hex"))) throw new Error(`No receipt: ${answer}`);
}

function round(command: Extract<Command, { kind: "round" }>): Promise<RoundOutcome> {
  const { url, count, inFlight, callbacks, receipts = false } = command;
  const requests = Array.from({ length: count }, (_, number) =>
    postBytes(url, MESSAGE_PATH, signedMessage(number, receipts)),
  );
  const sample: (readonly [request: Buffer, answer: string])[] = [];
  let receipted = 0;
  const open = lanesTo(url, inFlight);
  const latencies: number[] = [];
  const refusals = new Set<string>();
  let next = 0;
  let answered = 0;
  called = 0;

  return new Promise((resolve) => {
    const start = performance.now();
    let acceptedMs = 0;
    const finish = () => {
      clearTimeout(late);
      onCall = () => {};
      for (const [request, answer] of sample) checkReceipt(request, answer);
      resolve({
        acceptedMs,
        settledMs: performance.now() - start,
        accepted: latencies.length,
        called,
        receipts: receipted,
        latencies: inFlight === 1 ? latencies : [],
        refusals: [...refusals],
      });
    };
    const look = () => {
      if (answered === count && (!callbacks || called >= latencies.length)) finish();
    };
    let late: NodeJS.Timeout | undefined;
    onCall = look;
    const step = (lane: Lane) => {
      const request = requests[next++];
      if (request === undefined) return;
      const sent = performance.now();
      lane.send(request, (status, body) => {
        answered++;
        if (status === 200) latencies.push(performance.now() - sent);
        else refusals.add(`${status} ${body.slice(0, 200)}`);
        if (receipts && body.includes('"receipt":{')) {
          if (receipted % RECEIPT_SAMPLE === 0) sample.push([request, body]);
          receipted++;
        }
        if (answered === count) {
          acceptedMs = performance.now() - start;
          late = setTimeout(finish, CALLBACKS_WITHIN_MS);
          look();
        } else step(lane);
      });
    };
    for (const lane of open) step(lane);
  });
}

/** Asks a node on this machine for a connection: it accepts a neighbour at once. */
async function connectTo(url: string, receipts: boolean): Promise<boolean> {
  const body = JSON.stringify({
    from_agent_id: agentId,
    from_agent_url: home,
    from_agent_public_key_hex: agentId,
    ...(receipts && { features: ["receipts/1", "journal/1"] }),
  });
  const answer = await fetch(`${url}/__darkmatter__/connection_request`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  return ((await answer.json()) as { auto_accepted?: boolean }).auto_accepted === true;
}

process.on("message", async (command: Command) => {
  process.send?.(
    command.kind === "connect" ? await connectTo(command.url, command.receipts) : await round(command),
  );
});
process.on("disconnect", () => process.exit());

webhook.listen(0, "127.0.0.1", () => {
  home = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}`;
  process.send?.("ready");
});
