import { fork } from "node:child_process";
import { join } from "node:path";
import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import type { Figures } from "../bench/lib/figures.ts";
import { createAccount } from "./account.ts";
import { heldBy } from "./evidence.ts";
import { createMachine, type Machine } from "./machine.ts";
import { connect, within } from "./site.ts";
import { createWorld } from "./world.ts";

const MESSAGES = 2_000;
/** Messages under way at once. */
const AT_ONCE = 32;
const NODES = 1_000;
const STARTED_AT_ONCE = 50;
/** Most tables of most of them are empty. */
const PAGE_BYTES = 1024;
const MIB = 1024 * 1024;
/** Nobody is refused for talking much. */
const UNLIMITED = { rateGlobal: -1, ratePerConnection: -1, inboxMax: MESSAGES };

/** What the simulator itself can do. */
export async function measure(figures: Figures): Promise<void> {
  const rate = await messagesPerSecond();
  figures.add("sim.messages_per_s", rate, "messages/s", { least: 500, noisy: true });
  const { seconds, mebibytes } = await inOneProcess(NODES);
  figures.add("sim.nodes", NODES, "nodes", { least: 1_000 });
  figures.add("sim.nodes_started_s", seconds, "s", { most: 60, noisy: true });
  figures.add("sim.nodes_memory", mebibytes, "MiB", { most: 1024 });
}

/** A process of its own, so that nothing else is counted. Idle nodes make no garbage worth a larger nursery. */
async function inOneProcess(nodes: number): Promise<Started> {
  const script = join(import.meta.dirname, "children", "many-nodes.ts");
  const child = fork(script, [], { execArgv: ["--max-semi-space-size=1"] });
  try {
    child.send(nodes);
    const answer = await new Promise<Started | { readonly error: string }>((resolve, reject) => {
      child.once("message", (message) => resolve(message as Started));
      child.once("exit", (code) => reject(new Error(`the process ended with ${code}`)));
    });
    if ("error" in answer) throw new Error(answer.error);
    return answer;
  } finally {
    child.kill();
  }
}

interface Started {
  readonly seconds: number;
  readonly mebibytes: number;
}

/** Signed, sent, verified and stored, each with its receipt and its commits on both sides. */
async function messagesPerSecond(): Promise<number> {
  const world = createWorld({ seed: 1, checksAll: true });
  const { problem } = createAccount();
  const machines: Machine[] = [];
  for (let at = 0; at < 2; at++) {
    const host = world.internet.host({ address: `5.6.7.${10 + at}` });
    const place = { name: `n${at}`, host, network: "open", port: 8100, skewMs: 0, channels: false };
    machines.push(await createMachine(world, { ...place, config: UNLIMITED, unforeseen: problem }));
  }
  const [one, other] = machines as [Machine, Machine];
  await within(world, Promise.all(machines.map((machine) => machine.start())), MINUTE_MS);
  await within(world, connect(world, one, other), MINUTE_MS);
  const send = async (count: number) => {
    for (let at = 0; at < count; at++)
      await one.call("send_message", { content: "is the build green?", target_agent_id: other.id });
  };
  await within(world, send(AT_ONCE), MINUTE_MS);
  const started = performance.now();
  const sending = Promise.all(Array.from({ length: AT_ONCE }, () => send(MESSAGES / AT_ONCE)));
  await within(world, sending, 10 * MINUTE_MS);
  const seconds = (performance.now() - started) / SECOND_MS;
  const taken = await other.disk.db.get<{ taken: number }>(
    "SELECT count(*) AS taken FROM ledger_commits WHERE json_extract(payload, '$.act') = 'message.received'",
  );
  for (const machine of machines) machine.kill();
  if ((taken?.taken ?? 0) < MESSAGES) throw new Error(`only ${taken?.taken} of ${MESSAGES} messages arrived`);
  return MESSAGES / seconds;
}

/** Starts whole nodes; the first and the last then connect and talk. */
export async function manyNodes(nodes: number): Promise<Started> {
  const world = createWorld({ seed: 1, checksAll: true });
  const { problem, problems } = createAccount();
  const started = performance.now();
  const machines: Machine[] = [];
  for (let at = 0; at < nodes; at++) {
    const host = world.internet.host({ address: `5.6.${at >> 7}.${1 + (at & 127)}` });
    const place = { name: `n${at}`, host, network: `lan ${at}`, port: 8100, skewMs: 0, channels: false };
    machines.push(await createMachine(world, { ...place, pageBytes: PAGE_BYTES, unforeseen: problem }));
  }
  for (let at = 0; at < nodes; at += STARTED_AT_ONCE) {
    const some = machines.slice(at, at + STARTED_AT_ONCE);
    await within(world, Promise.all(some.map((machine) => machine.start())), MINUTE_MS);
  }
  const seconds = (performance.now() - started) / SECOND_MS;
  const [first, last] = [machines[0] as Machine, machines.at(-1) as Machine];
  await within(world, connect(world, first, last), MINUTE_MS);
  const sent = first.call("send_message", { content: "the last of us?", target_agent_id: last.id });
  const answer = await within(world, sent, MINUTE_MS);
  if ((await heldBy(last, String(answer?.message_id))) !== 1 || problems.length > 0)
    throw new Error(`the first does not reach the last: ${JSON.stringify(answer)}, ${problems[0] ?? ""}`);
  const mebibytes = process.memoryUsage().rss / MIB;
  for (const machine of machines) {
    machine.kill();
    await machine.disk.close();
  }
  return { seconds, mebibytes };
}
