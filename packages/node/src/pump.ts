/**
 * What a session remembers of the lines between its client and its owner, so that another owner can go on where one
 * died. Pure: it moves no byte itself and imports nothing.
 *
 * @NOTE Both protocol eras pass through unchanged except for one thing: every `tools/call` gets a call id in its
 * `_meta`, under which the owner keeps the result, so that a call sent again after a takeover is answered by it.
 */
export interface Pump {
  /** Takes a line of the client; what to send to the owner. It is remembered even when there is none just now. */
  fromClient(line: string): string;
  /** Takes a line of the owner; what the client gets of it, if anything. */
  fromServer(line: string): string | undefined;
  /** What a new owner must hear first: the session's opening, then everything not yet answered. */
  replay(): string[];
  /** Tells the client, in its era's way, that another owner may offer other tools. */
  ownerChanged(): string[];
  /** Answers everything due with an error, and forgets it: answers that come later are dropped. */
  failPending(message: string): string[];
  readonly pending: number;
  /** Of these, the ones a client waits for: a subscription stays open and is due nothing. */
  readonly due: number;
  /** Names of the tools the client has called. */
  readonly called: ReadonlySet<string>;
  /** The client has asked for more than `server/discover`: it is in earnest, and not a throw-away first try. */
  readonly inEarnest: boolean;
}

/** Names remembered: several times the tools there are. */
const CALLED_MAX = 200;
const NAME_LENGTH_MAX = 64;
/** In the `_meta` of a `tools/call`. */
export const CALL_META_KEY = "darkmatter/call";
/** JSON-RPC: a server's own error. */
const SERVER_ERROR = -32_000;
/** Answers to what the pump itself sent begin with this. */
const OWN_ID = "darkmatter/replay/";

/** In the `_meta` of what a subscription brings (revision 2026-07-28). */
const SUBSCRIPTION_META_KEY = "io.modelcontextprotocol/subscriptionId";

type Id = string | number;
type Fields = { readonly [key: string]: unknown };
type Granted = { readonly toolsListChanged?: unknown };
interface Pending {
  readonly line: string;
  readonly due: boolean;
  readonly token: unknown;
}
interface Message {
  readonly id?: Id;
  readonly method?: string;
  readonly params?: Fields;
}

export function createPump(newCallId: () => string): Pump {
  const pending = new Map<Id, Pending>();
  /** What made this session what it is, in order: sent again to each new owner under an id of our own. */
  const opening = new Map<string, Message>();
  /** Subscriptions the client knows to be granted, with what was granted. */
  const acknowledged = new Map<Id, Granted>();
  /** How far the client has heard each pending call to be, by progress token. */
  const progress = new Map<unknown, number>();
  const called = new Set<string>();
  let inEarnest = false;

  function remember(message: Message, line: string): void {
    const { id, method, params } = message;
    const name = method === "tools/call" ? params?.name : undefined;
    if (typeof name === "string" && name.length <= NAME_LENGTH_MAX && called.size < CALLED_MAX)
      called.add(name);
    const state = stateKey(message);
    if (state !== undefined) opening.set(state, message);
    if (method === "resources/unsubscribe") opening.delete(`resources/subscribe ${params?.uri}`);
    if (method === "notifications/cancelled") forget(params?.requestId as Id);
    if (method !== undefined && id !== undefined) {
      pending.set(id, { line, due: method !== "subscriptions/listen", token: metaOf(message).progressToken });
    }
  }

  function forget(id: Id): boolean {
    acknowledged.delete(id);
    progress.delete(pending.get(id)?.token);
    return pending.delete(id);
  }

  return {
    fromClient(line) {
      const message = parse(line);
      // Not a message: for the owner to refuse. Nothing of it can be pending.
      if (message === undefined) return line;
      if (message.method !== "server/discover") inEarnest = true;
      const sent = message.method === "tools/call" ? withCallId(message, newCallId()) : line;
      remember(message, sent);
      return sent;
    },

    fromServer(line) {
      const message = parse(line);
      if (message === undefined) return line;
      if (message.method !== undefined) return isRepeated(message, acknowledged, progress) ? undefined : line;
      if (message.id === undefined) return line;
      // Unknown ids: answers to our replay, or ones we have already given an error for.
      return forget(message.id) ? line : undefined;
    },

    replay() {
      const lines: string[] = [];
      let count = 0;
      for (const message of opening.values()) {
        const waiting = message.id === undefined ? undefined : pending.get(message.id);
        if (message.id === undefined) lines.push(JSON.stringify(message));
        else lines.push(waiting?.line ?? JSON.stringify({ ...message, id: `${OWN_ID}${++count}` }));
      }
      const opened = new Set([...opening.values()].map(({ id }) => id));
      for (const [id, { line }] of pending) if (!opened.has(id)) lines.push(line);
      return lines;
    },

    ownerChanged() {
      const lines: string[] = [];
      const initialized = opening.get("initialize");
      if (initialized?.id !== undefined && !pending.has(initialized.id)) lines.push(listChanged());
      for (const [id, granted] of acknowledged)
        if (granted.toolsListChanged === true) lines.push(listChanged(id));
      return lines;
    },

    failPending(message) {
      // A subscription waits for nothing: it goes on with the owner, or with the next one.
      const ids = [...pending].filter(([, { due }]) => due).map(([id]) => id);
      for (const id of ids) forget(id);
      const error = { code: SERVER_ERROR, message };
      return ids.map((id) => JSON.stringify({ jsonrpc: "2.0", id, error }));
    },

    get pending() {
      return pending.size;
    },
    get due() {
      return pending.values().reduce((count, { due }) => count + (due ? 1 : 0), 0);
    },
    called,
    get inEarnest() {
      return inEarnest;
    },
  };
}

/** Under which key a message changes what the session is, if it does; a later one of the same key replaces it. */
function stateKey({ method, params }: Message): string | undefined {
  if (method === "initialize" || method === "notifications/initialized" || method === "logging/setLevel")
    return method;
  return method === "resources/subscribe" ? `${method} ${params?.uri}` : undefined;
}

function withCallId(message: Message, callId: string): string {
  const _meta = { ...metaOf(message), [CALL_META_KEY]: callId };
  return JSON.stringify({ ...message, params: { ...message.params, _meta } });
}

function listChanged(subscription?: Id): string {
  const params = subscription === undefined ? {} : { _meta: { [SUBSCRIPTION_META_KEY]: subscription } };
  return JSON.stringify({ jsonrpc: "2.0", method: "notifications/tools/list_changed", params });
}

/** A subscription's second acknowledgement, or progress the client has already heard of. */
function isRepeated(
  message: Message,
  acknowledged: Map<Id, Granted>,
  progress: Map<unknown, number>,
): boolean {
  const { method, params } = message;
  if (method === "notifications/subscriptions/acknowledged") {
    const id = metaOf(message)[SUBSCRIPTION_META_KEY] as Id;
    if (acknowledged.has(id)) return true;
    acknowledged.set(id, (params?.notifications ?? {}) as Granted);
  }
  if (method === "notifications/progress") {
    const now = Number(params?.progress);
    if (now <= (progress.get(params?.progressToken) ?? Number.NEGATIVE_INFINITY)) return true;
    progress.set(params?.progressToken, now);
  }
  return false;
}

function metaOf({ params }: Message): Fields {
  const meta = params?._meta;
  return typeof meta === "object" && meta !== null ? (meta as Fields) : {};
}

function parse(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Message)
      : undefined;
  } catch {
    // For whoever reads it next to refuse.
    return undefined;
  }
}
