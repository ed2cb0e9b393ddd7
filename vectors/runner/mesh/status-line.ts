import type { Json } from "@darkmatter/core";
import { type Attention, type StatusInput, type StatusPeer, statusText } from "@darkmatter/mesh/testing";
import { type Outcome, ran } from "../outcome.ts";

interface Case {
  readonly label: string;
  readonly stats_line: string;
  readonly number_of_action_lines: number;
  readonly all_clear: boolean;
}

/**
 * The live status (mesh.md 15): the line of numbers is read back into what it was made of, rendered, and must be the
 * same; of the action lines those that follow from the numbers are counted, the others must be able to make up the rest.
 */
export async function* statusLine(document: Json): AsyncIterable<Outcome> {
  const { cases } = document as unknown as { cases: readonly Case[] };
  for (const { label, stats_line: line, number_of_action_lines: count, all_clear: isClear } of cases) {
    yield ran(label, (found) => {
      const input = parsedStats(line);
      if (!input) return found.wrong(`this is no line of stats: ${line}`);
      const attention = attentionFor(input, count, label);
      const [first, blank, ...rest] = statusText(input, attention).split("\n");
      const actions = rest.filter((one) => one.startsWith("ACTION: "));
      found.equal("stats", first, line);
      found.equal("the line between", blank, "");
      found.equal("action lines", actions.length, count);
      found.equal("all clear in one line", actions.length === 0 && rest.length === 1, isClear);
    });
  }
}

const STATS = new RegExp(
  "^Agent: (?<name>.*) \\| Status: (?<status>\\w+) \\| Connections: (?<connected>\\d+)/(?<max>\\d+) \\((?<peers>.*)\\)" +
    " \\| Inbox: (?<inbox>\\d+) \\| Handled: (?<handled>\\d+) \\| Pending requests: (?<pending>\\d+)" +
    "(?: \\| Wallets: (?<wallets>.*))? \\| Memory: (?<conversations>\\d+) conversations, (?<broadcasts>\\d+) broadcasts," +
    " (?<own>\\d+) own shards, (?<theirs>\\d+) peer shards$",
);

function parsedStats(line: string): StatusInput | undefined {
  const part = STATS.exec(line)?.groups;
  if (!part) return undefined;
  const number = (name: string) => Number(part[name] ?? "0");
  const wallets = (part.wallets ?? "").split(", ").filter((one) => one !== "");
  return {
    name: part.name ?? "",
    status: part.status ?? "",
    peers: part.peers === "none" ? [] : (part.peers ?? "").split(", ").map(parsedPeer),
    maxConnections: number("max"),
    inbox: number("inbox"),
    handled: number("handled"),
    pendingRequests: number("pending"),
    wallets: Object.fromEntries(wallets.map(parsedWallet)),
    conversations: number("conversations"),
    broadcasts: number("broadcasts"),
    ownShards: number("own"),
    peerShards: number("theirs"),
  };
}

function parsedPeer(text: string): StatusPeer {
  const [, label = text, mark = ""] = /^(.*?)(?: \[(.*)\])?$/.exec(text) ?? [];
  const [, level = "0", method = ""] = /^L(\d+):(.*)$/.exec(mark) ?? [];
  return { label, webrtc: mark === "webrtc", level: Number(level), method };
}

/** What a shortened address leaves out does not show: any letters between its ends make the same text. */
function parsedWallet(text: string): [string, string] {
  const [chain = "", address = ""] = text.split(": ");
  return [chain, address.replace("...", "x".repeat(34))];
}

function attentionFor(input: StatusInput, actionLines: number, label: string): Attention {
  const followed =
    (input.status === "inactive" ? 1 : 0) +
    input.pendingRequests +
    (input.inbox > 0 ? 1 : 0) +
    (input.peers.length === 0 ? 1 : 0) +
    (input.name === "" ? 1 : 0) +
    (input.broadcasts > 0 ? 1 : 0) +
    (input.peerShards > 0 ? 1 : 0);
  const genericBio = label.includes("generic bio");
  const rest = actionLines - followed - (genericBio ? 1 : 0);
  return {
    inactive: input.status === "inactive",
    requests: Array.from({ length: input.pendingRequests }, (_, at) => `Request ${at + 1}.`),
    inbox: input.inbox,
    connections: input.peers.length,
    noName: input.name === "",
    broadcasts: input.broadcasts,
    peerShards: input.peerShards,
    // The numbers do not show these two.
    awaitingReply: rest > 0 ? 1 : 0,
    genericBio: genericBio || rest > 1,
  };
}
