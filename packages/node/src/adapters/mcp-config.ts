import { realpathSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { isLoopbackUrl } from "@darkmatter/net";
import type { Launch } from "../setup/client.ts";
import type { Agent } from "./owning.ts";

/** What a person pastes into an MCP client, for either transport. Paths are absolute: clients start anywhere. */
export interface McpConfigs {
  readonly stdio: object;
  /** `undefined` where `/mcp` cannot be called: it answers on loopback alone. */
  readonly http: object | undefined;
  /** The setting that `stdio` needs and does not show. */
  readonly hidden: string | undefined;
  /** The program itself, as a terminal takes it anywhere. */
  readonly program: string;
}

/** Set elsewhere, secret, of this process alone, or a ledger server's. */
const NOT_PASSED_ON = /_(HOME|PASSPORT|PASSPHRASE|TRANSPORT|LIFELINE|LOG_KEYS?(_.*)?|LEDGER_(?!URL$).*)$/;
/** Written down for a client, but not shown on a screen. */
const API_KEY = "DARKMATTER_API_KEY";

export function mcpConfigs(agent: Agent, url: string, settings = process.env): McpConfigs {
  const { [API_KEY]: apiKey, ...shown } = settings;
  const launch = sessionLaunch(agent, shown);
  const script = programPath();
  return {
    stdio: { mcpServers: { darkmatter: launch } },
    http: isLoopbackUrl(url)
      ? { mcpServers: { darkmatter: { type: "http", url: `${url}/mcp` } } }
      : undefined,
    hidden: apiKey ? API_KEY : undefined,
    program: `node ${/\s/.test(script) ? `'${script}'` : script}`,
  };
}

/** How anybody starts a session of this agent, from anywhere. */
export function sessionLaunch(agent: Pick<Agent, "passportPath" | "home">, settings = process.env): Launch {
  return {
    command: process.execPath,
    args: [programPath(), "mcp"],
    env: {
      // The client's session is the node when this one has ended: it has to listen and speak as this one does.
      ...passedOn(settings),
      DARKMATTER_PASSPORT: agent.passportPath,
      ...(agent.home !== join(homedir(), ".darkmatter") && { DARKMATTER_HOME: agent.home }),
    },
  };
}

function passedOn(settings: NodeJS.ProcessEnv): Record<string, string> {
  const all = Object.entries(settings).filter(([name]) => /^DARKMATTER_/.test(name));
  return Object.fromEntries(
    all.flatMap(([name, value]) => (value && !NOT_PASSED_ON.test(name) ? [[name, value]] : [])),
  );
}

/** The program that runs, by its real place. */
export function programPath(): string {
  return realpathSync(process.argv[1] ?? "");
}
