import type { Server } from "@modelcontextprotocol/server";
import type { Push } from "../tool.ts";

/**
 * Notices out of turn, as Claude Code has them ("channels", its documentation's channels reference): a server that
 * declares the experimental capability may send the notice, which the client shows its agent if its user started it so.
 */
export const PUSH_CAPABILITY = { "claude/channel": {} };
const PUSH_METHOD = "notifications/claude/channel";
/** The programs known to take such notices, by what they call themselves. */
const PUSHED_CLIENTS: ReadonlySet<string> = new Set(["claude-code"]);

/** The way to push to the client of a server that has been initialised; `undefined` where it knows of no such thing. */
export function pushTo(server: Server): Push | undefined {
  const { name } = server.getClientVersion() ?? {};
  if (name === undefined || !PUSHED_CLIENTS.has(name)) return undefined;
  return (content, meta) => server.notification({ method: PUSH_METHOD, params: { content, meta } });
}
