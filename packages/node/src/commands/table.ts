import { hasCode, reasonOf } from "@darkmatter/core";
import { type Command, EXIT_USAGE } from "@darkmatter/surface";
import { runMcpSession } from "../adapters/mcp-session.ts";
import type { MainOptions } from "../main-options.ts";
import { a2aCommands } from "./a2a.ts";
import { owningOptions } from "./context.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { feeCommands } from "./fees.ts";
import { hookCommands } from "./hook.ts";
import { careCommands } from "./ledger-care.ts";
import { serverCommands } from "./ledger-client/table.ts";
import { eraseCommand } from "./ledger-erase.ts";
import { exportCommands } from "./ledger-export.ts";
import { historyCommands } from "./ledger-history.ts";
import { verifyCommand } from "./ledger-verify.ts";
import { messageCommands } from "./messages.ts";
import { passportCommands } from "./passport.ts";
import { peerCommands } from "./peers.ts";
import { poolCommands } from "./pool.ts";
import { rulesCommands } from "./rules.ts";
import { serveCommands } from "./serve.ts";
import { serviceCommands } from "./service.ts";
import { setupCommand } from "./setup.ts";
import { shardCommands } from "./shards.ts";
import { spawnCommands } from "./spawn.ts";
import { stateCommands } from "./state.ts";
import { statusCommand } from "./status.ts";
import { upCommand } from "./up.ts";
import { walletCommands } from "./wallet.ts";

/** Every command, in the order and under the headings that help shows. */
export function commandTable(main: MainOptions): Command[] {
  const mcp: Command = {
    name: "mcp",
    summary: "serve one MCP client over stdin and stdout; what a client starts",
    arguments: [],
    options: [],
    run: async (input) => (await runMcpSession(owningOptions(input, main))) as 0 | 1 | 2,
  };
  return [
    ...under("A node:", [
      upCommand(main),
      mcp,
      demoCommand(),
      setupCommand(main),
      doctorCommand(main),
      ...serviceCommands(main),
      statusCommand(main),
      ...stateCommands(main),
      ...passportCommands(main),
    ]),
    ...under("Agents talk:", [
      ...peerCommands(main),
      ...messageCommands(main),
      ...shardCommands(main),
      ...rulesCommands(main),
      ...spawnCommands(main),
      ...a2aCommands(main),
      ...hookCommands(main),
    ]),
    ...under("They pay, and share APIs:", [
      ...walletCommands(main),
      ...feeCommands(main),
      ...poolCommands(main),
    ]),
    ...under("A ledger, this agent's own or a server's:", [
      ...historyCommands(main),
      ...exportCommands(main),
      verifyCommand(main),
      eraseCommand(main),
      ...careCommands(main),
    ]),
    ...under("At a ledger server:", serverCommands()),
    ...under("Servers:", serveCommands()),
  ].map(usageAware);
}

const under = (group: string, commands: readonly Command[]): Command[] =>
  commands.map((command) => ({ ...command, group }));

/** A wrong setting is a mistake of usage like a wrong option. */
function usageAware(command: Command): Command {
  return {
    ...command,
    async run(input) {
      try {
        return await command.run(input);
      } catch (error) {
        if (!hasCode(error, "CONFIG_INVALID") && !hasCode(error, "USAGE")) throw error;
        input.out.error(reasonOf(error), error.hint);
        return EXIT_USAGE;
      }
    },
  };
}
