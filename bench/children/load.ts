// The agent that sends: a connected peer in a process of its own, with the webhook that its messages name. It
// signs a round's messages beforehand, sends them, and tells how long that took.
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { type AddressInfo, createServer } from "node:net";
import type { Command, RoundOutcome } from "../lib/load.ts";
import { createCutter, type Lane, openLane, postBytes } from "../lib/raw-http.ts";

const CONTENT_BYTES = 450;
const MESSAGE_PATH = "/__darkmatter__/message";
const RECEIVED =
  'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{"success":true}';
/** How long after the last answer a round waits for the last callback. */
const CALLBACKS_WITHIN_MS = 30_000;

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

function signedMessage(number: number): string {
  const messageId = `msg-${randomBytes(6).toString("hex")}`;
  const content = `${number} ${randomBytes(CONTENT_BYTES).toString("base64")}`.slice(0, CONTENT_BYTES);
  const timestamp = new Date().toISOString().replace("Z", "+00:00");
  const text = `${agentId}\n${messageId}\n${timestamp}\n${content}`;
  return JSON.stringify({
    message_id: messageId,
    content,
    webhook: `${home}/__darkmatter__/webhook/${messageId}`,
    hops_remaining: 10,
    metadata: {},
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

function round(command: Extract<Command, { kind: "round" }>): Promise<RoundOutcome> {
  const { url, count, inFlight, callbacks } = command;
  const requests = Array.from({ length: count }, (_, number) =>
    postBytes(url, MESSAGE_PATH, signedMessage(number)),
  );
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
      resolve({
        acceptedMs,
        settledMs: performance.now() - start,
        accepted: latencies.length,
        called,
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
async function connectTo(url: string): Promise<boolean> {
  const body = JSON.stringify({
    from_agent_id: agentId,
    from_agent_url: home,
    from_agent_public_key_hex: agentId,
  });
  const answer = await fetch(`${url}/__darkmatter__/connection_request`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  return ((await answer.json()) as { auto_accepted?: boolean }).auto_accepted === true;
}

process.on("message", async (command: Command) => {
  process.send?.(command.kind === "connect" ? await connectTo(command.url) : await round(command));
});
process.on("disconnect", () => process.exit());

webhook.listen(0, "127.0.0.1", () => {
  home = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}`;
  process.send?.("ready");
});
