// One machine of the namespaces' network: does as its parent says, and tells what came of it.
import { createMulticast } from "../../adapters/dgram-multicast.ts";
import type { MulticastMember } from "../../multicast.ts";
import { SUITE_GROUP } from "../multicast-suite.ts";

export type MachineOrder =
  | { readonly what: "join" | "close" | "heard" }
  | { readonly what: "send"; readonly text: string };
export type MachineAnswer = { readonly heard: readonly string[] } | { readonly code: string };

let member: MulticastMember | undefined;
const heard: string[] = [];

async function act(order: MachineOrder): Promise<void> {
  if (order.what === "send") await member?.send(Buffer.from(order.text));
  if (order.what === "close") await member?.close();
  if (order.what !== "join") return;
  member = await createMulticast().join(SUITE_GROUP, ({ bytes, address }) => {
    heard.push(`${address} ${Buffer.from(bytes).toString()}`);
  });
}

process.on("message", (order: MachineOrder) => {
  act(order).then(
    () => process.send?.({ heard } satisfies MachineAnswer),
    (error: { code?: string }) =>
      process.send?.({ code: error.code ?? String(error) } satisfies MachineAnswer),
  );
});
process.on("disconnect", () => process.exit());
process.send?.({ heard } satisfies MachineAnswer);
