import { type Agent, httpAgent } from "../agents.ts";
import { until } from "../checks.ts";
import type { Home, NodeProcess, World } from "../world.ts";

/** An agent of a suite that stops, moves and wakes its node. */
export class Party {
  readonly #world: World;
  #home: Home;
  #node: NodeProcess | undefined;
  #agent: Agent | undefined;
  readonly #options: readonly string[];

  constructor(world: World, home: Home, options: readonly string[] = []) {
    this.#world = world;
    this.#home = home;
    this.#options = options;
  }

  /** Starts its node, at another port where one is given. */
  async start(port?: number): Promise<this> {
    if (port !== undefined) {
      this.#home = { ...this.#home, port, env: { ...this.#home.env, DARKMATTER_PORT: String(port) } };
    }
    this.#node = await this.#world.up(this.#home, ...this.#options);
    this.#agent = undefined;
    return this;
  }

  get node(): NodeProcess {
    if (!this.#node) throw new Error(`${this.#home.name} was not started`);
    return this.#node;
  }

  get name(): string {
    return this.#home.name;
  }

  get id(): string {
    return this.node.agentId;
  }

  async agent(): Promise<Agent> {
    this.#agent ??= await httpAgent(this.node.url, "2.x auto");
    return this.#agent;
  }

  async stop(): Promise<void> {
    await this.#agent?.close().catch(() => undefined);
    this.#agent = undefined;
    await this.node.stop();
  }

  /** Stopped as by a closed lid, until called. */
  pause(): () => void {
    process.kill(this.node.pid, "SIGSTOP");
    return () => process.kill(this.node.pid, "SIGCONT");
  }

  async connect(other: Party): Promise<void> {
    const { status } = await (await this.agent()).ask("connection", {
      action: "request",
      target_url: other.node.url,
    });
    if (status !== "connected") throw new Error(`${this.name} is not connected: ${status}`);
  }

  /** Sends, whether it arrives at once or waits; the message's id. */
  async send(other: Party, content: string): Promise<string> {
    const sent = await (await this.agent()).ask("send_message", { content, target_agent_id: other.id });
    return sent.message_id;
  }

  /** Waits until some messages are in the inbox, each once; how long that took in ms. */
  async receives(ids: readonly string[], timeoutMs: number): Promise<number> {
    const start = performance.now();
    const agent = await this.agent();
    await until(
      `${this.name} has ${ids.length} message(s)`,
      async () => {
        const { messages } = await agent.ask("list_inbox");
        const found = messages.filter((one: { message_id: string }) => ids.includes(one.message_id));
        if (found.length > ids.length) throw new Error("a message came twice");
        return found.length === ids.length;
      },
      timeoutMs,
    );
    return performance.now() - start;
  }
}
