// The clients of a ledger server, in a process of their own: they sign a round's commits beforehand, send them, and
// check a sample of the proofs in the answers. The same for signed messages to the probe.
import { generateKeyPairSync, hash, randomBytes, sign } from "node:crypto";
import { verifyInclusion } from "@darkmatter/proof";
import type { CommitRound, CommitRoundOutcome } from "../lib/commit-load.ts";
import { type Lane, openLane, postBytes } from "../lib/raw-http.ts";

const CONTENT_BYTES = 450;
const COMMITS_A_TRACE = 8;
/** Of the answers of a round, the proof of one of so many is checked, after the round. */
const PROOF_SAMPLE = 20;

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const keyHex = publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex");
const lanes = new Map<string, Lane[]>();

const content = (number: number) =>
  `${number} ${randomBytes(CONTENT_BYTES).toString("base64")}`.slice(0, CONTENT_BYTES);
const signed = (text: string) => sign(null, Buffer.from(text), privateKey).toString("hex");

function message(url: string, number: number): Buffer {
  const [id, text] = [`msg-${randomBytes(6).toString("hex")}`, content(number)];
  const timestamp = new Date().toISOString().replace("Z", "+00:00");
  const body = {
    message_id: id,
    content: text,
    timestamp,
    from_agent_id: keyHex,
    signature_hex: signed(`${keyHex}\n${id}\n${timestamp}\n${text}`),
  };
  return postBytes(url, "/message", JSON.stringify(body));
}

let trace = "";

/** Each few commits are about one thing. */
function traceOf(number: number): string {
  if (number % COMMITS_A_TRACE === 0) trace = `trc_${randomBytes(8).toString("hex")}`;
  return trace;
}

/** A signed commit: an envelope, its hash, the agent's signature over it. */
function commit(
  url: string,
  { agentId, apiKey }: { agentId: string; apiKey: string },
  number: number,
): Buffer {
  const payload = { input: content(number), output: number };
  const payload_hash = hash("sha256", JSON.stringify(payload));
  const timestamp = `${new Date().toISOString().slice(0, 19)}Z`;
  const members = { payload_hash, schema_version: "2", timestamp };
  const envelope = { agent_id: agentId, key_id: "default", parent_integrity_hash: "root", ...members };
  const text = JSON.stringify(envelope);
  const claims = { payload_hash, integrity_hash: hash("sha256", text), envelope, strict: true };
  const body = { payload, ...claims, agent_signature: signed(text), traceId: traceOf(number) };
  return postBytes(url, "/api/commit", JSON.stringify(body), { authorization: `Bearer ${apiKey}` });
}

function lanesTo(url: string, count: number): Lane[] {
  const open = lanes.get(url) ?? [];
  const fail = (error: Error): never => {
    throw error;
  };
  while (open.length < count) open.push(openLane(url, fail));
  lanes.set(url, open);
  return open.slice(0, count);
}

/** Throws for an answer whose proof does not hold, and for one that is not signed as it should be. */
function checkProof(answer: string): void {
  const { _proof: proof, integrity_v2: v2 } = JSON.parse(answer);
  const { leaf_index: index, proof: steps } = proof.inclusion_proof;
  const claim = { leaf: proof.leaf_hash, index, size: proof.tree_size, root: proof.tree_root, proof: steps };
  if (!verifyInclusion(claim) || v2.signature_status !== "valid") throw new Error(`No proof: ${answer}`);
}

async function round({ urls, agent, count, inFlight }: CommitRound): Promise<CommitRoundOutcome> {
  const urlOf = (number: number) => urls[number % urls.length] as string;
  // A lane has a server, and takes only what is for it.
  const requests = urls.map((url, at) =>
    Array.from({ length: count }, (_, number) => number)
      .filter((number) => number % urls.length === at)
      .map((number) => (agent ? commit(url, agent, number) : message(urlOf(number), number))),
  );
  const latencies: number[] = [];
  const refusals = new Set<string>();
  const sample: string[] = [];
  const startMs = performance.now();
  const work = (lane: Lane, queue: Buffer[]) =>
    new Promise<void>((done) => {
      const step = () => {
        const request = queue.pop();
        if (request === undefined) return done();
        const sentMs = performance.now();
        lane.send(request, (status, body) => {
          if (status === 200) latencies.push(performance.now() - sentMs);
          else refusals.add(`${status} ${body.slice(0, 300)}`);
          if (agent && latencies.length % PROOF_SAMPLE === 0) sample.push(body);
          step();
        });
      };
      step();
    });
  const share = Math.ceil(inFlight / urls.length);
  await Promise.all(
    urls.flatMap((url, at) => lanesTo(url, share).map((lane) => work(lane, requests[at] ?? []))),
  );
  const tookMs = performance.now() - startMs;
  for (const answer of sample) checkProof(answer);
  return { tookMs, latencies, refusals: [...refusals] };
}

process.on("message", async (command: CommitRound) => void process.send?.(await round(command)));
process.on("disconnect", () => process.exit());
process.send?.(publicKey.export({ format: "pem", type: "spki" }));
