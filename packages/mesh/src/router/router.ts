import { hasCode, isJsonObject, parseJson, reasonOf } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { readCallerScore } from "../a2a/tokens.store.ts";
import { type Background, STRANGERS_LANE } from "../background.ts";
import type { PendingRequest } from "../connections/connection.ts";
import { readStanding } from "../connections/connections.store.ts";
import type { Connections } from "../connections/connections.ts";
import type { Forwarding } from "../messages/forward.ts";
import { deleteInbox, readForwards, readInbox } from "../messages/messages.store.ts";
import type { Replying } from "../messages/reply.ts";
import type { OnStored, StoredMessage } from "../messages/stored.ts";
import { inParallel, PARALLEL_CALLS_MAX } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Giving } from "../receipts/giving.ts";
import { authorOf } from "../receipts/receipt.ts";
import type { Waking } from "../waking/waking.ts";
import { askCustom, type CustomRouting } from "./custom.ts";
import { type Decision, decide } from "./decision.ts";
import { clearRoute, noteRoute, readRoute, readRouted } from "./router.store.ts";
import type { Rules } from "./rules.ts";

/** Deciding what is done with a message, and doing it once (mesh.md 14). */
export interface Router {
  /** Decides about a message in the transaction that stores it. */
  readonly onStored: OnStored;
  /** A connection request waits for the agent's word: it may be woken for it. */
  requested(tx: Write, request: PendingRequest): Promise<void>;
  /** Does what was decided and not done: what a crash left. */
  resume(): Promise<void>;
}

/** The route of a message about which the owner's routers have still to be asked. */
const ASK = "ask";
/** Decisions carried out in one run of the job. */
const RESUME_AT_ONCE = 500;

export interface RouterParts {
  readonly rules: Rules;
  readonly background: Background;
  readonly connections: Connections;
  readonly forwarding: Forwarding;
  readonly replying: Replying;
  readonly giving: Giving;
  readonly waking: Pick<Waking, "wake" | "request">;
  readonly changed: () => void;
}

export function createRouter(ports: MeshPorts, parts: RouterParts): Router {
  const { db, signer, report } = ports;
  const { rules, background, connections, forwarding, replying, giving, waking, changed } = parts;
  /** Being carried out by this process now. */
  const carrying = new Set<string>();

  const chainSays = (message: StoredMessage) => decide(rules.ordered(), rules.mode(), message);

  function start(tx: Write, { messageId, from, connected }: StoredMessage): void {
    const lane = connected ? from : STRANGERS_LANE;
    tx.afterCommit(() => background.start("router.carried", () => carryOut(messageId), lane));
  }

  /** In the deciding transaction: does what can be done there, and notes what only can be done after it. */
  async function act(tx: Write, message: StoredMessage, decision: Decision): Promise<void> {
    const { messageId } = message;
    switch (decision.action) {
      case "handle":
        return waking.wake(tx, message);
      case "drop":
        await deleteInbox(tx, messageId);
        await giving.drop(tx, message, "not wanted");
        tx.afterCommit(changed);
        return;
      case "forward":
      case "respond":
        await noteRoute(tx, messageId, null, routeText(decision));
        return start(tx, message);
    }
  }

  /** Nothing else may happen to a message between its decision and this: both are one transaction, or a route. */
  async function carryOut(messageId: string): Promise<void> {
    if (carrying.has(messageId)) return;
    carrying.add(messageId);
    try {
      if ((await readRoute(db, messageId))?.route === ASK) await ask(messageId);
      const found = await readRoute(db, messageId);
      if (!found) return;
      if (!found.answered) await carry(messageId, decisionOf(found.route));
      await db.write((tx) => clearRoute(tx, messageId));
      changed();
    } finally {
      carrying.delete(messageId);
    }
  }

  async function carry(messageId: string, decision: Decision | undefined): Promise<void> {
    try {
      if (decision?.action === "forward") await forward(messageId, decision.forwardTo);
      else if (decision?.action === "respond") await respond(messageId, decision.response);
    } catch (error) {
      // Whatever keeps it from being done, the message waits for the agent; one that left meanwhile needs no word.
      if (!hasCode(error, "NOT_FOUND")) report("router.left-waiting", { reason: reasonOf(error) });
    }
  }

  async function respond(messageId: string, response: string | null): Promise<void> {
    if (!response) return;
    const { error } = await replying.reply(messageId, response, callOf(messageId), "rule");
    if (error !== undefined) report("router.left-waiting", { reason: "the reply was not taken yet" });
  }

  async function forward(messageId: string, wanted: readonly string[]): Promise<void> {
    const message = await readInbox(db, messageId);
    const begun = await readForwards(db, messageId);
    // One that may go no further is not thrown away, as the tool would: our agent can still answer it.
    if (!message || !begun || message.hopsRemaining < 1) return;
    // Never back to who brought it or who wrote it.
    const never = new Set([signer.agentId, message.from, authorOf(message)]);
    const targets: string[] = [];
    for (const agentId of wanted) {
      if (!never.has(agentId) && (await connections.get(db, agentId))) targets.push(agentId);
    }
    if (targets.length === 0) return;
    // Its author heard from us, before a crash, that these targets have it: that is no reason not to bring it.
    const force = targets.every((agentId) => agentId in begun);
    await forwarding.forward(messageId, targets, { note: null, force, callId: callOf(messageId) });
  }

  /** Asks the owner's routers, which may take their time, and decides where the message still waits for that. */
  async function ask(messageId: string): Promise<void> {
    const message = await storedAgain(messageId);
    const { customRouting: custom } = ports;
    const decision = message && (await decideWith(custom, message));
    await db.write(async (tx) => {
      // Answered meanwhile: nothing is left to decide.
      if (!(await noteRoute(tx, messageId, ASK, null))) return clearRoute(tx, messageId);
      if (message && decision && decision.by !== "queue") await act(tx, message, decision);
    });
  }

  async function decideWith(
    custom: CustomRouting | undefined,
    message: StoredMessage,
  ): Promise<Decision | null> {
    const rest = () => chainSays(message);
    const known = { mode: rules.mode(), decide: rest };
    const asked = custom ? await askCustom(ports, custom, message, known) : null;
    return asked ?? (custom?.replaces ? null : rest());
  }

  async function storedAgain(messageId: string): Promise<StoredMessage | undefined> {
    const message = await readInbox(db, messageId);
    if (!message) return undefined;
    const { connection, score: known } = await readStanding(db, message.from);
    const score = (await readCallerScore(db, message.from)) ?? known;
    return { ...message, connected: connection !== undefined, score, broadcast: false };
  }

  return {
    onStored(tx, message) {
      if (message.broadcast) return undefined;
      if (ports.customRouting) {
        return noteRoute(tx, message.messageId, null, ASK).then(() => start(tx, message));
      }
      const decision = chainSays(message);
      return decision && decision.by !== "queue" ? act(tx, message, decision) : undefined;
    },

    async requested(tx, request) {
      if (rules.mode() === "spawn") await waking.request(tx, request);
    },

    async resume() {
      const ids = await readRouted(db, RESUME_AT_ONCE);
      await inParallel(ids, PARALLEL_CALLS_MAX, carryOut);
    },
  };
}

/** The same for every attempt: what was done is not done again. */
const callOf = (messageId: string) => `route:${messageId}`;

const routeText = ({ action, forwardTo, response }: Decision) =>
  JSON.stringify({ action, forwardTo, response });

function decisionOf(route: string): Decision | undefined {
  const value = parseJson(route);
  return isJsonObject(value) ? (value as unknown as Decision) : undefined;
}
