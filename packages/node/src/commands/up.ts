import { once } from "node:events";
import { newUuid, systemRandom } from "@darkmatter/core";
import { isLoopbackHost, lanAddresses } from "@darkmatter/net";
import { type Command, type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { mcpConfigs } from "../adapters/mcp-config.ts";
import { readOwnerCard } from "../adapters/owner-card.ts";
import { findOwner } from "../adapters/owner-search.ts";
import { type Agent, openAgent, ownAgent } from "../adapters/owning.ts";
import { parseConfig } from "../config.ts";
import { nodeError } from "../errors.ts";
import { RELAY_PROTOCOL } from "../handshake.ts";
import type { MainOptions } from "../main-options.ts";
import { VERSION } from "../version.ts";
import { owningOptions } from "./context.ts";

export function upCommand(main: MainOptions): Command {
  return {
    name: "up",
    summary: "run this folder's node until Ctrl-C, and show how to connect an MCP client",
    arguments: [],
    options: [
      { flags: "--lan", summary: "let agents on this network reach the node, and find it by itself" },
    ],
    run: (input) => up(input, main),
  };
}

/** Owns the state, or stands by until whoever owns it ends. */
async function up(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  if (input.options.lan) listenBeyondLoopback(process.env);
  const options = owningOptions(input, main);
  const agent = await openAgent(options);
  const { out, signal } = input;
  while (!signal.aborted) {
    const found = await findOwner({
      ...agent.places,
      socket: agent.socket,
      hello: {
        darkmatter: RELAY_PROTOCOL,
        version: options.version ?? VERSION,
        pid: process.pid,
        session: newUuid(systemRandom),
        called: [],
        role: "session",
      },
      mayOwn: () => true,
      signal,
    });
    if (found.kind === "trouble" && !signal.aborted) throw nodeError(found.trouble);
    if (found.kind === "attached") {
      standBy(input, agent, found.pid);
      found.socket.resume();
      await Promise.race([once(found.socket, "close"), aborted(signal)]);
      found.socket.destroy();
    }
    if (found.kind !== "held") continue;
    await using node = await owned(ownAgent(options, found.lock, agent.signer.agentId));
    announce(input, agent, node.url);
    if ((await Promise.race([node.handedOver, aborted(signal)])) === "handed over") {
      out.line("A newer version of the program has taken this agent over.");
      return EXIT_OK;
    }
  }
  return signal.aborted ? EXIT_OK : EXIT_FAILURE;
}

const EVERYWHERE = "0.0.0.0";

/**
 * A setting like any other from here on: what reads settings follows, and so does a client's session that becomes the
 * node after this process. An address that others reach stays as it was chosen.
 */
function listenBeyondLoopback(settings: NodeJS.ProcessEnv): void {
  const { host } = parseConfig(settings);
  if (isLoopbackHost(host)) settings.DARKMATTER_HOST = EVERYWHERE;
}

/** Where the network around reaches a node of this URL; nowhere while it listens to this machine alone. */
function lanUrls(url: string): readonly string[] {
  const { host } = parseConfig(process.env);
  if (isLoopbackHost(host)) return [];
  if (host !== EVERYWHERE && host !== "::") return [url];
  // Both listen on IPv4, and only one of them on IPv6.
  const addresses = lanAddresses().filter((address) => !address.includes(":"));
  return addresses.map((address) => `http://${address}:${new URL(url).port}`);
}

async function owned(starting: ReturnType<typeof ownAgent>) {
  const node = await starting;
  const handedOver = new Promise<"handed over">((resolve) => node.onHandOver(() => resolve("handed over")));
  return { url: node.url, handedOver, [Symbol.asyncDispose]: () => node.stop() };
}

async function aborted(signal: AbortSignal): Promise<"aborted"> {
  if (!signal.aborted) await once(signal, "abort");
  return "aborted";
}

function announce({ out }: CommandInput, agent: Agent, url: string): void {
  const { agentId } = agent.signer;
  const lan = lanUrls(url);
  const { stdio, http, hidden, program } = mcpConfigs(agent, url);
  const { mirror, warnings } = parseConfig(process.env);
  const human = [
    `DarkMatter node ${agentId}`,
    `  at       ${url}`,
    ...lanLines(lan),
    `  passport ${agent.passportPath}`,
    `  log      ${agent.places.log}`,
    ...(mirror ? [`  mirror   ${mirror.url}`] : []),
    ...warnings.map((warning) => `  settings ${warning}`),
    "",
    "Paste into your MCP client's configuration (stdio):",
    JSON.stringify(stdio, null, 2),
    ...(hidden
      ? [`${hidden} is not shown: add it to "env", for when the client's session is the node.`]
      : []),
    ...(http
      ? ["or, over HTTP:", JSON.stringify(http, null, 2)]
      : ["MCP over HTTP is answered on loopback alone, which this node does not listen on: use stdio."]),
    "",
    "Next, in another terminal:",
    `  cd '${process.cwd()}'`,
    `  alias darkmatter="${program}"`,
    "  darkmatter connect http://HOST:PORT   ask another agent for a connection",
    "  darkmatter peers                      who is connected, and who asks to be",
    "  darkmatter send AGENT TEXT            say something",
    "  darkmatter inbox                      what was said to this agent",
    "",
    "Ctrl-C stops the node.",
  ];
  out.result(human.join("\n"), {
    agent_id: agentId,
    url,
    lan_urls: [...lan],
    pid: process.pid,
    passport: agent.passportPath,
    log: agent.places.log,
    ...(mirror && { mirror: mirror.url }),
    ...(warnings.length > 0 && { warnings: [...warnings] }),
    mcp: { stdio, ...(http && { http }) } as never,
  });
}

/** What others on the network see, and how they get here. */
function lanLines(lan: readonly string[]): readonly string[] {
  const { host, discovery } = parseConfig(process.env);
  if (isLoopbackHost(host)) return [];
  const [first] = lan;
  if (first === undefined) return ["  network  none now: agents elsewhere reach this node once there is one"];
  const seen = discovery
    ? "agents on this network see this node (name, bio, address)"
    : "discovery is off: agents on this network have to be told the address";
  return [
    ...lan.map((one, at) => `  ${at === 0 ? "network " : "        "} ${one}`),
    `           ${seen}; from another machine:`,
    `           darkmatter connect ${first}`,
  ];
}

function standBy({ out, options }: CommandInput, agent: Agent, pid: number): void {
  const card = readOwnerCard(agent.places.ownerCard);
  const hidden = options.lan === true && card !== undefined && isLoopbackHost(card.host);
  out.line(
    `This agent's node already runs as process ${pid}${card?.port ? ` at http://${card.host}:${card.port}` : ""}. ` +
      "Standing by: this process takes over when that one ends. Ctrl-C stops standing by." +
      (hidden
        ? " Until then only this machine reaches the node: end that process to let the network in."
        : ""),
  );
}
