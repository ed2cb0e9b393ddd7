import { placesOf } from "../places.ts";
import type { Trouble } from "../trouble.ts";
import { VERSION } from "../version.ts";
import type { OwningOptions } from "./owning.ts";
import { homeFolder, namedPassport, peekAgentId } from "./passport-peek.ts";
import { inheritedVariable } from "./process-tree.ts";
import { socketPlace } from "./socket-place.ts";
import { stopSignal } from "./stop-signal.ts";
import { refuseSession, runSession, type SessionPorts } from "./thin-session.ts";

/**
 * `darkmatter mcp`: one MCP client over stdio. Nothing but built-in modules is imported until this session has to
 * own the state, so that a second window is answered within 50 ms. Resolves with the exit code.
 */
export async function runMcpSession(options: OwningOptions): Promise<number> {
  const node = () => import("./owning.ts");
  const home = homeFolder(options, process.env);
  const ports = (agentId: string): SessionPorts => {
    const places = placesOf(home, agentId);
    return {
      input: process.stdin,
      output: process.stdout,
      places: { ...places, socket: socketPlace(places.folder) },
      version: options.version ?? VERSION,
      delegate: inheritedVariable("DARKMATTER_MCP_TOKEN"),
      warm: () => void node().then(({ warm }) => warm(options)),
      own: async (lock) => (await node()).ownAgent(options, lock, agentId),
      preview: async (stream) => (await node()).servePreview(options, stream),
      explain,
      complain,
      signal,
    };
  };
  const signal = stopSignal();
  const known = peekAgentId(namedPassport(options, process.env), process.cwd(), home);
  if (known !== undefined) return runSession(ports(known));
  try {
    // No passport yet, or not one: making it, or saying why not, is the full program's.
    const { agentId } = (await (await node()).openAgent(options)).signer;
    return await runSession(ports(agentId));
  } catch (error) {
    return refuseSession(ports(""), explain(error));
  }
}

function complain({ message, hint }: Trouble): void {
  process.stderr.write(`darkmatter: ${message}\n${hint ? `${hint}\n` : ""}`);
}

function explain(error: unknown): Trouble {
  const { message, hint = "", code } = error as { message: string; hint?: string; code?: string };
  return { code: code === "CONFIG_INVALID" ? code : "START_FAILED", message: String(message), hint };
}
