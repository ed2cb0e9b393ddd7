/** A connection as the status line shows it. */
export interface StatusPeer {
  /** A short id, or in results the peer's own name on one line. */
  readonly label: string;
  readonly webrtc: boolean;
  readonly level: number;
  readonly method: string;
}

export interface StatusInput {
  readonly name: string;
  readonly status: string;
  readonly peers: readonly StatusPeer[];
  readonly maxConnections: number;
  readonly inbox: number;
  readonly handled: number;
  readonly pendingRequests: number;
  readonly wallets: Readonly<Record<string, string>>;
  readonly conversations: number;
  readonly broadcasts: number;
  readonly ownShards: number;
  readonly peerShards: number;
}

/** The first line of the live status (mesh.md 15). */
export function statsLine(input: StatusInput): string {
  const peers = input.peers.length === 0 ? "none" : input.peers.map(peerLabel).join(", ");
  const wallets = Object.entries(input.wallets).map(([chain, address]) => `${chain}: ${shortened(address)}`);
  return [
    `Agent: ${input.name}`,
    `Status: ${input.status}`,
    `Connections: ${input.peers.length}/${input.maxConnections} (${peers})`,
    `Inbox: ${input.inbox}`,
    `Handled: ${input.handled}`,
    `Pending requests: ${input.pendingRequests}`,
    ...(wallets.length > 0 ? [`Wallets: ${wallets.join(", ")}`] : []),
    `Memory: ${input.conversations} conversations, ${input.broadcasts} broadcasts, ` +
      `${input.ownShards} own shards, ${input.peerShards} peer shards`,
  ].join(" | ");
}

function peerLabel({ label, webrtc, level, method }: StatusPeer): string {
  if (webrtc) return `${label} [webrtc]`;
  return level > 0 ? `${label} [L${level}:${method}]` : label;
}

const shortened = (address: string): string =>
  address.length <= 12 ? address : `${address.slice(0, 6)}...${address.slice(-4)}`;

/** What asks for the agent's attention. */
export interface Attention {
  readonly inactive: boolean;
  /** One text for each request: who, and how to decide. */
  readonly requests: readonly string[];
  readonly inbox: number;
  readonly awaitingReply: number;
  readonly connections: number;
  readonly genericBio: boolean;
  readonly noName: boolean;
  readonly broadcasts: number;
  readonly peerShards: number;
}

/** The `ACTION:` lines in the order of mesh.md 15; none when all is clear. */
export function actionLines(attention: Attention): string[] {
  const lines: Array<string | false> = [
    attention.inactive && 'You are inactive and take no messages: darkmatter_set_status(status="active").',
    ...attention.requests,
    attention.inbox > 0 && `${attention.inbox} message(s) wait in your inbox: darkmatter_list_inbox.`,
    attention.awaitingReply > 0 &&
      `${attention.awaitingReply} sent message(s) await a reply: darkmatter_wait_for_response or list_messages.`,
    attention.connections === 0 &&
      "You have no connections: darkmatter_discover_local, then darkmatter_connection.",
    attention.genericBio && "Your bio says nothing about you: darkmatter_update_bio.",
    attention.noName && "You have no display name: set DARKMATTER_DISPLAY_NAME.",
    attention.broadcasts > 0 && `${attention.broadcasts} recent broadcast(s) from peers.`,
    attention.peerShards > 0 && `${attention.peerShards} shard(s) of peers: darkmatter_view_shards.`,
  ];
  return lines.filter((line) => line !== false).map((line) => `ACTION: ${line}`);
}

export const ALL_CLEAR = "All clear: nothing waits for you.";

/** The whole status: stats, a blank line, actions or the all-clear. */
export function statusText(input: StatusInput, attention: Attention): string {
  const actions = actionLines(attention);
  return [statsLine(input), "", ...(actions.length > 0 ? actions : [ALL_CLEAR])].join("\n");
}
