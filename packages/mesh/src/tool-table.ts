import type { JsonObject } from "@darkmatter/core";
import type { Tool, ToolTable } from "@darkmatter/surface";
import { a2aTools } from "./a2a/a2a.tools.ts";
import { antimatterTools } from "./antimatter/antimatter.tools.ts";
import { connectionTools } from "./connections/connections.tools.ts";
import { delegationTools } from "./delegation/delegation.tools.ts";
import { diagnosisTools } from "./diagnosis/diagnosis.tools.ts";
import { discoveryTools } from "./discovery/discovery.tools.ts";
import { identityTools } from "./identity/identity.tools.ts";
import { impressionTools } from "./impressions/impressions.tools.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { messageTools } from "./messages/messages.tools.ts";
import { olderTools } from "./messages/older.tools.ts";
import { poolTools } from "./pools/pools.tools.ts";
import { routerTools } from "./router/router.tools.ts";
import type { Services } from "./services.ts";
import { shardTools } from "./shards/shards.tools.ts";
import type { Changes } from "./status/changes.ts";
import { createHints } from "./status/hint.ts";
import { statusForResult } from "./status/status.ts";
import { walletTools } from "./wallets/wallets.tools.ts";

/** What the agent, and the commands of its owner, may call; and what stands beside each answer. */
export function toolTable(services: Services, changes: Changes): ToolTable {
  const hints = createHints();
  const tools: readonly Tool[] = [
    ...identityTools(services),
    ...messageTools(services),
    ...olderTools(services),
    ...connectionTools(services),
    ...discoveryTools(services),
    ...diagnosisTools(services),
    ...impressionTools(services),
    ...walletTools(services),
    ...poolTools(services),
    ...antimatterTools(services),
    ...routerTools(services),
    ...delegationTools(services),
    ...a2aTools(services),
    ...shardTools(services),
  ];
  const glanceOf = () => services.glance.refresh();

  return {
    tools,
    instructions: INSTRUCTIONS,

    async decorate(session: string, result: JsonObject) {
      const { broadcastsEver: broadcasts, handled, ...glance } = await glanceOf();
      const arrived = handled - broadcasts;
      services.alertness.hinted(session, arrived);
      return { ...result, _hint: hints.next(session, { ...glance, arrived, broadcasts }) };
    },

    onChange: (listener) => changes.listen(listener),
    watch: services.alertness.watch,

    resources: [
      {
        uri: "darkmatter://status",
        name: "Live status",
        description: "Connections, inbox and what waits for the agent.",
        mimeType: "text/plain",
        read: () => statusForResult(services),
      },
    ],
  };
}
