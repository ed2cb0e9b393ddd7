import { SECOND_MS } from "@darkmatter/core";
import type { MeshPorts } from "../ports.ts";
import type { Alertness } from "./alertness.ts";

/** What the agent is to be woken for, by one word of ours: who asks, and how much there is. */
export interface Summons {
  readonly kind: "message" | "request";
  readonly subject: string;
  /** Who wrote or asks. */
  readonly from: string;
}

/** One way of waking that is asked and then waited for. */
export interface Way {
  readonly name: "channel" | "hook";
  /** How long the agent may take to look before the next way is tried. */
  readonly withinMs: number;
  isThere(): boolean;
  /** Asks for all of these at once; whether anybody was asked. `failed` when that turns out later to have been in vain. */
  ask(summons: readonly [Summons, ...Summons[]], failed: () => void): Promise<boolean>;
}

const CHANNEL_WITHIN_MS = 20 * SECOND_MS;

/** Ids that say nothing: a peer chooses the id of its message, and could write an order into it. */
const PLAIN_ID = /^(?:(?:msg|req)-)?[0-9a-f]{8,64}$|^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const isPlainId = (id: string): boolean => PLAIN_ID.test(id);

/** What is said to an agent that is woken. All of it ours. */
export function summonsText(summons: readonly Summons[]): string {
  const count = (kind: Summons["kind"]) => summons.filter((one) => one.kind === kind).length;
  const [messages, requests] = [count("message"), count("request")];
  const parts = [
    ...(messages > 0
      ? [
          `${messages} new message${messages > 1 ? "s" : ""} in your DarkMatter inbox: call darkmatter_list_inbox.`,
        ]
      : []),
    ...(requests > 0
      ? [
          `${requests} new connection request${requests > 1 ? "s" : ""}: call darkmatter_list_pending_requests.`,
        ]
      : []),
  ];
  return parts.join(" ");
}

/** The notice of a client that shows its agent what a server says out of turn. */
export function pushWay(alertness: Alertness, { report }: Pick<MeshPorts, "report">): Way {
  return {
    name: "channel",
    withinMs: CHANNEL_WITHIN_MS,
    isThere: () => alertness.pushable().size > 0,

    async ask(summons) {
      const [first] = summons;
      const meta = {
        event: first.kind,
        count: String(summons.length),
        ...(isPlainId(first.subject) && { id: first.subject }),
        ...(isPlainId(first.from) && { from: first.from }),
      };
      let asked = false;
      for (const push of [...alertness.pushable().values()]) {
        try {
          await push(summonsText(summons), meta);
          asked = true;
        } catch (error) {
          report("waking.push-failed", { reason: error instanceof Error ? error.name : "unknown" });
        }
      }
      return asked;
    },
  };
}
