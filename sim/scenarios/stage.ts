import { type JsonObject, MINUTE_MS, reasonOf, SECOND_MS } from "@darkmatter/core";
import type { MemoryHost, NatBox } from "@darkmatter/net/testing";
import { type Account, createAccount } from "../account.ts";
import { rows } from "../agent.ts";
import { heldBy } from "../evidence.ts";
import { createMachine, type Machine } from "../machine.ts";
import { connect, within } from "../site.ts";
import { CALM } from "../weather.ts";
import { createWorld, type World } from "../world.ts";

/** One thing that must heal, or must not happen, told as a story of a few nodes. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** Takes long: not part of a short round. */
  readonly isLong?: boolean;
  /** What was not as the title says. */
  run(): Promise<readonly string[]>;
}

/** Where a scenario plays. Nodes are in the open unless they are put behind a router. */
export interface Stage {
  readonly world: World;
  readonly machines: readonly Machine[];
  /** Starts a node more, behind a router if one is given. Only there it has data channels, unless told otherwise. */
  add(options?: Place): Promise<Machine>;
  connect(asking: Machine, asked: Machine, url?: string): Promise<void>;
  call(machine: Machine, tool: string, input?: object): Promise<JsonObject>;
  /** Sends a message; its id, which may wait to be delivered. */
  send(from: Machine, to: Machine, content?: string): Promise<string>;
  start(machine: Machine): Promise<void>;
  pass(durationMs: number): Promise<void>;
  /** Looks each second until it is so; a problem when it is not within so long. */
  must(words: string, maxMs: number, check: () => Promise<boolean>): Promise<void>;
  /** A message is taken by its target, once. */
  mustArrive(to: Machine, messageId: string, maxMs: number): Promise<void>;
  problem(what: string): void;
}

export interface Place {
  readonly router?: NatBox;
  readonly portMapping?: boolean;
  readonly channels?: boolean;
}

type Story = (stage: Stage) => Promise<void>;

const START_NODES = 3;
const PORT = 8100;
const CALL_MAX_MS = 3 * MINUTE_MS;

export function scenario(name: string, title: string, story: Story, isLong = false): Scenario {
  return { name, title, isLong, run: () => play(name, story) };
}

async function play(name: string, story: Story): Promise<readonly string[]> {
  const world = createWorld({ seed: name.length });
  const account = createAccount();
  const machines: Machine[] = [];
  const stage = stageOf(world, account, machines);
  try {
    for (let count = 0; count < START_NODES; count++) await stage.add();
    const [one, other, third] = machines as [Machine, Machine, Machine];
    await stage.connect(one, other);
    await stage.connect(other, third);
    await stage.connect(third, one);
    await story(stage);
  } catch (error) {
    account.problem(`broke off: ${(error instanceof Error && error.stack) || reasonOf(error)}`);
  }
  for (const machine of machines) {
    machine.kill();
    await machine.disk.close();
  }
  await world.clock.settle();
  return account.problems;
}

function stageOf(world: World, account: Account, machines: Machine[]): Stage {
  world.internet.latency(CALM.minMs, CALM.maxMs);
  let messages = 0;

  async function call(machine: Machine, tool: string, input: object = {}): Promise<JsonObject> {
    const answer = await within(world, machine.call(tool, input), CALL_MAX_MS);
    if (!answer) throw new Error(`${machine.name} did not answer ${tool}`);
    return answer;
  }

  const stage: Stage = {
    world,
    machines,
    problem: account.problem,
    call,
    async add({ router, portMapping = false, channels = router !== undefined } = {}) {
      const at = machines.length;
      const address = router ? `192.168.7.${10 + at}` : `5.6.7.${10 + at}`;
      const host: MemoryHost = router ? router.host({ address }) : world.internet.host({ address });
      const common = { name: `n${at}`, port: PORT + at, skewMs: 0, channels, unforeseen: account.problem };
      const network = router ? router.address : "open";
      const machine = await createMachine(world, { ...common, host, network, config: { portMapping } });
      machines.push(machine);
      await stage.start(machine);
      return machine;
    },
    connect: (asking, asked, url) => within(world, connect(world, asking, asked, url), MINUTE_MS),
    async send(from, to, content = `message ${++messages}`) {
      const answer = await call(from, "send_message", { content, target_agent_id: to.id });
      if (typeof answer.message_id !== "string") throw new Error(`not sent: ${JSON.stringify(answer)}`);
      return answer.message_id;
    },
    async start(machine) {
      await within(world, machine.start(), MINUTE_MS);
    },
    pass: (durationMs) => world.clock.advance(durationMs),
    async must(words, maxMs, check) {
      for (let waited = 0; waited <= maxMs; waited += SECOND_MS) {
        if (await within(world, check(), CALL_MAX_MS)) return;
        await world.clock.advance(SECOND_MS);
      }
      account.problem(`not within ${maxMs / SECOND_MS} s: ${words}`);
    },
    async mustArrive(to, messageId, maxMs) {
      await stage.must(`${to.name} has ${messageId}`, maxMs, async () => (await heldBy(to, messageId)) > 0);
      const times = await heldBy(to, messageId);
      if (times > 1) account.problem(`${to.name} took ${messageId} ${times} times`);
    },
  };
  return stage;
}

/** What a node shows of its connection to another. */
export async function shown(
  { call }: Stage,
  machine: Machine,
  peer: Machine,
): Promise<JsonObject | undefined> {
  const { connections } = await call(machine, "list_connections");
  return rows(connections).find(({ agent_id: id }) => id === peer.id);
}

/** How far a message got, as its sender is told. */
export async function stateOf({ call }: Stage, machine: Machine, messageId: string): Promise<string> {
  return String((await call(machine, "get_sent_message", { message_id: messageId })).state);
}
