import type { Checks } from "../checks.ts";
import { checkConformance } from "./conformance.ts";
import { checkEnd } from "./end.ts";
import { checkHttp } from "./http.ts";
import { checkMeeting } from "./meeting.ts";
import { checkQueue } from "./queue.ts";
import { checkSurface } from "./surface.ts";
import { checkTakeover } from "./takeover.ts";
import { checkTalk } from "./talk.ts";
import { startThree } from "./three.ts";
import { beginWaits } from "./waits.ts";

/** Three nodes, driven by the official MCP clients of both generations. */
export async function runMcp(checks: Checks): Promise<void> {
  await using three = await startThree();
  await checkMeeting(checks, three);
  const waits = await beginWaits(three);
  await checkTalk(checks, three);
  await checkSurface(checks, three);
  await checkQueue(checks, three);
  await checkConformance(checks, three.boNode.url);
  await waits.check(checks);
  await checkTakeover(checks, three);
  await checkHttp(checks, three);
  await checkEnd(checks, three);
}
