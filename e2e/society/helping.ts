import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Checks, sleep, until } from "../checks.ts";
import { gone, type World } from "../world.ts";
import { CLIENTS, type Member, type Members, type Name } from "./members.ts";

const ANSWER_WITHIN_S = 12;
const ASLEEP_AFTER_MS = 10_500;

// biome-ignore lint/suspicious/noExplicitAny: what a stand-in wrote down is looked into by checks
export type Record_ = any;

/** Everything the stand-ins of a member wrote down, oldest first. */
export function recordsOf({ records }: Member): Record_[] {
  return readdirSync(records)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(records, name), "utf8")));
}

/** A message to each member is handed to a helper, which reads it, answers and ends. */
export async function checkHelping(
  { check }: Checks,
  world: World,
  members: Members,
  { short }: { readonly short: boolean },
): Promise<void> {
  const [first, ...rest] = members as [Member, ...Member[]];
  await fallAsleep(check, "for the first time");
  // Side by side: whoever waits for an answer is awake, so that the first is asked by another afterwards.
  await Promise.all(rest.map((one) => checkHelper(check, one, first)));
  const helped = short ? rest : [...rest, first];
  if (!short) {
    await fallAsleep(check, "again");
    await checkHelper(check, first, rest[0] as Member);
  }
  await check("society: nothing was written into any project, and no token lies anywhere", async () => {
    for (const one of helped) {
      const { home, node } = one;
      const files = readdirSync(home.project).filter((file) => file !== ".darkmatter");
      assert.deepEqual(files, []);
      const [record] = recordsOf(one);
      const token = String(record.env.DARKMATTER_MCP_TOKEN);
      assert.match(token, /^[\w-]{32,}$/);
      // Its node hears of the end a moment after the system does.
      await until("a token is worth nothing once its helper has ended", async () => {
        const { status } = await fetch(`${node.url}/mcp`, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: "{}",
        });
        return status === 401;
      });
      const flag = record.argv.findIndex((one: string) => /^--mcp-config(-file)?$/.test(one));
      const config = flag === -1 ? undefined : record.argv[flag + 1];
      if (config) assert.equal(existsSync(config), false, "the helper's file is gone");
    }
    assert.equal(world.sockets().length, members.length);
  });
}

/** An agent that called a tool a moment ago will look by itself; no helper is started then. */
const fallAsleep = (check: Checks["check"], when: string) =>
  check(`society: the agents do nothing for a while, ${when}`, () => sleep(ASLEEP_AFTER_MS));

/** One message from a sender to a member that sleeps. */
async function checkHelper(check: Checks["check"], member: Member, sender: Member): Promise<void> {
  const [client, program] = CLIENTS[member.name];
  await check(`society: a message to ${member.name} is answered by a helper of ${client}`, async () => {
    const content = `What do you see from the ${member.name} tower?`;
    const sent = await sender.agent.ask("send_message", { content, target_agent_id: member.node.agentId });
    const wait = { message_id: sent.message_id, timeout_seconds: ANSWER_WITHIN_S };
    const timeoutMs = (ANSWER_WITHIN_S + 5) * 1000;
    const said = await sender.agent.ask("wait_for_response", wait, { timeoutMs });
    assert.equal(said.responses?.[0]?.response, `${program} read: ${content}`, JSON.stringify(said));
    await until("the stand-in has written down what it was given", () => recordsOf(member).length === 1);
    const [record] = recordsOf(member);
    assert.equal(record.error, undefined, record.error);
    await gone(record.pid);
    checkRecord(record, member, sent.message_id, content);
    let ladder: Record_ = [];
    const woken = until("the sender knows that the agent was woken, and by what", async () => {
      ({ ladder } = await sender.agent.ask("get_sent_message", { message_id: sent.message_id }));
      return ladder.some((one: Record_) =>
        one.rungs.some(
          ({ rung, detail, signed }: Record_) => rung === "woken" && signed && /delegat|help/.test(detail),
        ),
      );
    });
    await woken.catch(() => assert.fail(JSON.stringify(ladder)));
  });
}

/** Flags that skip a client's permission prompts. */
const AUTONOMOUS = /dangerously|--force|--trust\b|--yolo|--full-auto|--yes\b|bypass/;
const ENV_OF_OTHERS = ["CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CURSOR_AGENT", "OPENCODE"];
const REMOVED: Partial<Record<Name, readonly string[]>> = {
  ana: ENV_OF_OTHERS.slice(0, 2),
  bo: ENV_OF_OTHERS.slice(2, 3),
  fay: ENV_OF_OTHERS.slice(3),
};

function checkRecord(record: Record_, member: Member, messageId: string, content: string): void {
  const flags = record.argv.filter((one: string) => one !== record.prompt).join(" ");
  assert.doesNotMatch(flags, AUTONOMOUS, "no flag skips the permission prompts");
  assert.ok(!record.argv.join(" ").includes(record.env.DARKMATTER_MCP_TOKEN), "no token on the command line");
  assert.equal(record.cwd, member.home.project);
  for (const name of REMOVED[member.name] ?? []) assert.equal(record.env[name], undefined, name);
  assert.equal(record.env.DARKMATTER_AGENT_ENABLED, "false");
  assert.equal(record.env.DARKMATTER_ENTRYPOINT_AUTOSTART, "false");
  assert.equal(record.env.DARKMATTER_PASSPORT, undefined);
  assert.ok(record.prompt.includes(messageId));
  assert.equal(record.message.content, content);
  assert.ok(record.tools.length <= 12, `it sees ${record.tools}`);
  for (const [what, result] of Object.entries<Record_>(record.tried)) {
    assert.equal(result.success, false, `a helper could: ${what}: ${JSON.stringify(result)}`);
  }
}
