import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Agent, httpAgent } from "../agents.ts";
import { type Checks, until } from "../checks.ts";
import { pythonMissing } from "../mutations/python-verifier.ts";
import { statusesOf, strangersStatuses } from "../stranger/opinion.ts";
import { createWorld, freePorts, type Home, type NodeProcess, type World } from "../world.ts";

const QUESTION = "Which harbour is free on Tuesday?";
const ANSWER = "Berth 4, until noon.";
const SECRET = "The tide gate code is 90125.";
const THANKS = "Noted.";

interface Side {
  readonly home: Home;
  node: NodeProcess;
  agent: Agent;
}
type Name = "ana" | "bo" | "cy";
type Sides = Readonly<Record<Name, Side>>;

/** Three nodes talk; what they export proves it, to anybody, and a history rewritten afterwards is found out. */
export async function runConversation(checks: Checks): Promise<void> {
  await using world = createWorld();
  const sides = await startSides(world);
  try {
    const talk = await checkTalk(checks, sides);
    if (!talk) return;
    await checkTogether(checks, world, sides, talk);
    await checkDisclosing(checks, world, sides, talk);
    await checkErasing(checks, world, sides, talk);
    await checkRewriting(checks, world, sides);
  } finally {
    await Promise.allSettled(Object.values(sides).map(({ agent }) => agent.close()));
  }
}

async function startSides(world: World): Promise<Sides> {
  const ports = await freePorts(3);
  const start = async (name: Name, at: number): Promise<Side> => {
    const home = world.home(name, ports[at] ?? 0);
    const node = await world.up(home);
    return { home, node, agent: await httpAgent(node.url, "2.x modern") };
  };
  const [ana, bo, cy] = await Promise.all([start("ana", 0), start("bo", 1), start("cy", 2)]);
  return { ana, bo, cy };
}

interface Talk {
  /** Asked by Ana of Bo, forwarded to Cy, answered by Cy. */
  readonly asked: string;
  /** Told by Bo to Ana, answered. */
  readonly told: string;
}

async function checkTalk({ check }: Checks, { ana, bo, cy }: Sides): Promise<Talk | undefined> {
  const talk = { asked: "", told: "" };
  const connected = await check("conversation: three nodes connect", async () => {
    await ana.agent.ask("connection", { action: "request", target_url: bo.node.url });
    await bo.agent.ask("connection", { action: "request", target_url: cy.node.url });
    await cy.agent.ask("connection", { action: "request", target_url: ana.node.url });
  });
  const said = await check(
    "conversation: a message is read, forwarded and answered; another answered",
    async () => {
      const sent = await ana.agent.ask("send_message", {
        content: QUESTION,
        target_agent_id: bo.node.agentId,
      });
      talk.asked = sent.message_id;
      await bo.agent.ask("get_message", { message_id: talk.asked });
      await bo.agent.ask("send_message", { message_id: talk.asked, target_agent_id: cy.node.agentId });
      await cy.agent.ask("respond_message", { message_id: talk.asked, response: ANSWER });
      const told = await bo.agent.ask("send_message", { content: SECRET, target_agent_id: ana.node.agentId });
      talk.told = told.message_id;
      await ana.agent.ask("respond_message", { message_id: talk.told, response: THANKS });
    },
  );
  const climbed = await check("conversation: each sender sees, signed, how far its message got", async () => {
    const rungs = async (from: Side, id: string, holder: Side) => {
      const { ladder } = await from.agent.ask("get_sent_message", { message_id: id });
      const steps = (ladder as Ladder).find(({ agent_id }) => agent_id === holder.node.agentId)?.rungs ?? [];
      return steps.filter(({ signed }) => signed).map(({ rung }) => rung);
    };
    await until("Ana knows that Bo read it and passed it on", async () => {
      const climbed = await rungs(ana, talk.asked, bo);
      return ["stored", "read", "acted"].every((rung) => climbed.includes(rung));
    });
    await until("Ana knows that Cy has it and answered", async () => {
      const climbed = await rungs(ana, talk.asked, cy);
      return ["stored", "acted"].every((rung) => climbed.includes(rung));
    });
    await until("Bo knows that Ana answered", async () =>
      (await rungs(bo, talk.told, ana)).includes("acted"),
    );
  });
  return connected && said && climbed ? talk : undefined;
}

type Ladder = readonly { agent_id: string; rungs: readonly { rung: string; signed: boolean }[] }[];

/** A bundle of a conversation, as its owner exports it. */
async function exported(
  world: World,
  { home }: Side,
  id: string,
  ...options: readonly string[]
): Promise<string> {
  const path = join(world.folder, `${home.name}-${id}.json`);
  const { code, json } = await world.command(home, "export", id, "-o", path, "--force", ...options);
  assert.equal(code, 0, JSON.stringify(json));
  return path;
}

// biome-ignore lint/suspicious/noExplicitAny: a report is looked into by checks
type Report = any;

async function verified(
  world: World,
  home: Home,
  files: readonly string[],
): Promise<{ code: number; report: Report }> {
  const { code, json } = await world.command(home, "verify", ...files);
  return { code: code ?? -1, report: json };
}

async function checkTogether(
  { check, skip }: Checks,
  world: World,
  sides: Sides,
  { asked, told }: Talk,
): Promise<void> {
  const { ana, bo, cy } = sides;
  const all = ["--disclose", "all"];
  const files: string[] = [];
  await check("conversation: the three bundles prove who said what to whom, in which order", async () => {
    for (const side of [ana, bo, cy]) files.push(await exported(world, side, asked, ...all));
    const { code, report } = await verified(world, ana.home, files);
    assert.deepEqual(report.problems, []);
    assert.equal(code, 0);
    assert.equal(report.verdict, "verified");
    const acts = (report.statements as Report[]).map(({ act, agent_id, peer, content }) => [
      act,
      nameOf(sides, agent_id),
      nameOf(sides, peer),
      content ?? null,
    ]);
    const order = [
      ["message.sent", "ana", "bo", QUESTION],
      ["message.received", "bo", "ana", QUESTION],
      ["message.forwarded", "bo", "cy", null],
      ["message.received", "cy", "bo", QUESTION],
      // Cy's commit of its answer names the commit by which Ana wrote it down, so that one came before.
      ["message.answered", "ana", "cy", ANSWER],
      ["message.answered", "cy", "ana", ANSWER],
    ].map((one) => JSON.stringify(one));
    const found = acts.map((one) => JSON.stringify(one)).filter((one) => order.includes(one));
    assert.deepEqual(found, order);
  });

  const missing = pythonMissing();
  if (missing !== undefined) skip("conversation: what the verifier in Python says", missing);
  else {
    await check("conversation: the verifier in Python says the same of each, phase by phase", async () => {
      const { report } = await verified(world, ana.home, files);
      const ours = (report.bundles as Report[]).map((one) => statusesOf(one.report.phases));
      assert.deepEqual(await strangersStatuses(files), ours);
    });
  }

  await check("conversation: and say exactly what is not proven", async () => {
    const { report } = await verified(world, ana.home, files);
    const said = JSON.stringify(report.not_proven);
    assert.match(said, /clock/);
    const { report: alone } = await verified(world, ana.home, files.slice(0, 1));
    assert.ok(JSON.stringify(alone).includes("not checked") || JSON.stringify(alone).includes("not_proven"));
  });

  await check("conversation: a bundle with one byte changed fails, and the step is named", async () => {
    const [file = ""] = files;
    const damaged = join(world.folder, "damaged.json");
    const text = readFileSync(file, "utf8");
    const at = text.indexOf(QUESTION);
    writeFileSync(damaged, `${text.slice(0, at)}w${text.slice(at + 1)}`);
    const { code, report } = await verified(world, ana.home, [damaged]);
    assert.equal(code, 1);
    const failed = phasesOf(report).filter(({ status }) => status === "fail");
    assert.deepEqual(
      failed.map(({ phase }) => phase),
      ["export_hash", "export_signature", "disclosures", "receipts"],
    );
    assert.match(String(failed.at(2)?.failing), /^ctx_/);
  });

  await check("conversation: two ledgers that tell different stories do not agree", async () => {
    // Bo's other conversation in place of this one: what Ana's commits name is then nowhere.
    const other = await exported(world, bo, told, ...all);
    const { code, report } = await verified(world, ana.home, [files[0] ?? "", other]);
    assert.equal(code, 0, "what is missing is not checked, and no failure");
    assert.ok(JSON.stringify(report).includes("not"), "and that is said");
  });
}

const nameOf = (sides: Sides, agentId: string) =>
  (Object.keys(sides) as Name[]).find((name) => sides[name].node.agentId === agentId) ?? agentId;

const phasesOf = (report: Report): Report[] => report.phases ?? report.bundles[0].report.phases;

async function checkDisclosing(
  { check }: Checks,
  world: World,
  { bo, ana }: Sides,
  { told }: Talk,
): Promise<void> {
  await check("conversation: one field is disclosed, and the rest stays closed", async () => {
    const closed = readFileSync(await exported(world, bo, told), "utf8");
    assert.ok(!closed.includes(SECRET), "an export discloses no words by itself");
    const path = join(world.folder, "disclosed.json");
    const { code, json } = await world.command(bo.home, "disclose", told, "content", "-o", path);
    assert.equal(code, 0, JSON.stringify(json));
    const text = readFileSync(path, "utf8");
    assert.ok(text.includes(SECRET) && !text.includes(THANKS));
    const { code: verdict, report } = await verified(world, ana.home, [path]);
    assert.equal(verdict, 0, JSON.stringify(report).slice(0, 800));
  });
}

async function checkErasing(
  { check }: Checks,
  world: World,
  { ana, bo }: Sides,
  { told }: Talk,
): Promise<void> {
  await check("conversation: one field is erased for good, and the chain still verifies", async () => {
    const { code, json } = await world.command(ana.home, "erase", told, "content", "--yes");
    assert.equal(code, 0, JSON.stringify(json));
    const path = await exported(world, ana, told, "--disclose", "all");
    assert.ok(!readFileSync(path, "utf8").includes(SECRET));
    const { code: verdict, report } = await verified(world, bo.home, [path]);
    assert.equal(verdict, 0, JSON.stringify(report).slice(0, 800));
    const { code: sound } = await world.command(ana.home, "fsck");
    assert.equal(sound, 0);
    assert.deepEqual(filesWith(ana.home.home, SECRET), [], "no file of Ana's holds it any more");
  });
}

function filesWith(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(text));
}

/**
 * Cy goes back to an older state of its ledger, where nobody can tell it what it signed since, and writes another
 * history from there.
 */
async function checkRewriting({ check }: Checks, world: World, sides: Sides): Promise<void> {
  const { ana, bo, cy } = sides;
  const before = join(world.folder, "before");
  let told = "";
  const witnessed = await check("conversation: peers witness Cy's checkpoint", async () => {
    await pause(cy);
    cpSync(cy.home.home, before, { recursive: true });
    cy.node = await world.up(cy.home);
    const { json: sent } = await world.command(cy.home, "send", bo.node.agentId, "I will pay 100.");
    told = sent.message_id;
    const { json } = await world.command(cy.home, "checkpoint");
    assert.equal(json.witnesses.length, 2, JSON.stringify(json));
  });
  if (!witnessed) return;

  const rewritten = await check("conversation: away from them, Cy signs another history", async () => {
    await cy.node.stop();
    await Promise.all([pause(ana), pause(bo)]);
    rmSync(cy.home.home, { recursive: true });
    cpSync(before, cy.home.home, { recursive: true });
    cy.node = await world.up(cy.home);
    // As many commits as there were. Both wait for whoever sleeps.
    const words = ["I will pay 1.", "And late."];
    await Promise.all(words.map((said) => world.command(cy.home, "send", bo.node.agentId, said)));
  });
  if (!rewritten) return;

  let own = "";
  const isSound = await check("conversation: by itself that history is sound", async () => {
    const { json } = await world.command(cy.home, "recent");
    const { trace } = (json.commits as Report[]).find(({ act }) => act === "message.sent") ?? {};
    own = await exported(world, cy, trace, "--disclose", "all");
    const alone = await verified(world, ana.home, [own]);
    assert.equal(alone.code, 0);
    await Promise.all([resume(world, ana), resume(world, bo)]);
  });
  if (!isSound) return;

  await check("conversation: its node, hearing what it signed, signs nothing more and says why", async () => {
    const { code, json } = await world.command(cy.home, "checkpoint");
    assert.equal(code, 1, JSON.stringify(json));
    assert.match(json.error, /older/i);
  });

  await check("conversation: shown its next checkpoint, each peer refuses it", async () => {
    const { checkpoint } = JSON.parse(readFileSync(own, "utf8"));
    const { server_sig, position: _, witness_signatures: __, witness_count: ___, ...envelope } = checkpoint;
    const body = { agent_id: cy.node.agentId, checkpoint: envelope, server_sig, consistency: null };
    for (const { node } of [ana, bo]) {
      const answer = await fetch(`${node.url}/__darkmatter__/checkpoint`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const { code } = (await answer.json()) as { code: string };
      // Whoever is asked second has heard from the first.
      assert.ok(["EQUIVOCATION", "SPLIT_HISTORY"].includes(code), `${answer.status} ${code}`);
    }
  });

  await check("conversation: and its bundle does not hold beside those of its peers", async () => {
    const theirs = await exported(world, bo, told, "--disclose", "all");
    const together = await verified(world, ana.home, [own, theirs]);
    assert.equal(together.code, 1, JSON.stringify(together.report).slice(0, 1500));
    assert.match(JSON.stringify(together.report.problems), /witness|split|history/i);
  });

  await check("conversation: the peers keep the evidence, and tell", async () => {
    for (const { home } of [ana, bo]) {
      const { json } = await world.command(home, "status");
      assert.ok(JSON.stringify(json).includes(cy.node.agentId), JSON.stringify(json));
    }
  });
}

async function pause(side: Side): Promise<void> {
  await side.agent.close();
  await side.node.stop();
}

async function resume(world: World, side: Side): Promise<void> {
  side.node = await world.up(side.home);
  side.agent = await httpAgent(side.node.url, "2.x modern");
}
