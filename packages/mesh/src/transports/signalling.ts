import { hasCode, type JsonObject, reasonOf, SECOND_MS, sha256Hex } from "@darkmatter/core";
import type { Answering, DataChannel, Offering, WebRtc } from "@darkmatter/net";
import { createWindowLimiter } from "@darkmatter/surface";
import { type Connection, shortId, speaks } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import { meshError } from "../errors.ts";
import type { Body } from "../fields.ts";
import { OVER } from "../over.ts";
import type { MeshPorts } from "../ports.ts";
import type { Channels } from "./channels.ts";
import { type Answer, answerData, offerData, readAnswer, readOffer, requireSigned } from "./descriptions.ts";
import { createSeenOffers } from "./seen-offers.ts";
import type { Attempt, SignalPath } from "./signal-paths.ts";
import type { LevelName } from "./transport.ts";

/** An offer that came in, by whatever way. */
export interface ReceivedOffer {
  /** Whose it is, as whoever carried it says. */
  readonly from?: string | undefined;
  readonly offer: Body;
  readonly by: LevelName;
}

/** Opening channels (mesh.md 10.1). Every description is checked, whoever brought it. */
export interface Signalling {
  /**
   * Answers a peer's offer: the answer as it travels. Throws with the status of mesh.md 10.1: BAD_REQUEST, FORBIDDEN,
   * TOO_LARGE, TOO_MANY, DUPLICATE for glare; what the library throws for an offer it cannot use.
   */
  receive(offer: ReceivedOffer): Promise<JsonObject>;
  /** Offers a channel to a connected agent. Never rejects. */
  offer(peer: Connection): Promise<Attempt>;
  /** Gives up what is under way; what opens all the same is closed. */
  stop(): void;
}

/** Offers of one peer a minute. The first generation sends two for each channel. */
const OFFERS_PER_MINUTE = 12;
const ANSWERING_MAX = 16;
/** A way that brought nothing for so long gets company; an offer that did not gives way to the peer's own. */
const HEAD_START_MS = 3 * SECOND_MS;

interface UnderAnswer {
  readonly hash: string;
  readonly answer: Promise<JsonObject>;
  cancel(): void;
}

export function createSignalling(
  ports: MeshPorts,
  connections: Connections,
  channels: Channels,
  paths: readonly SignalPath[],
): Signalling {
  const { db, clock, signer, verifier, webRtc, report } = ports;
  const self = signer.agentId;
  const seen = createSeenOffers();
  const limiter = createWindowLimiter({ clock });
  const answering = new Map<string, UnderAnswer>();
  /** Our own offers under way, and how to give each up. */
  const offering = new Map<string, { readonly stop: AbortController; readonly sinceMs: number }>();
  let isStopped = false;

  async function adopt(
    agentId: string,
    channel: DataChannel,
    by: LevelName,
    offered: boolean,
    proven: boolean,
  ) {
    // Opening takes seconds, in which a connection may have ended.
    if (isStopped || !(await connections.get(db, agentId))) return channel.close();
    channels.adopt(agentId, channel, { level: by, plainSend: offered && by === "direct" }, proven);
  }

  /**
   * Throws DUPLICATE where our own offer goes before: the smaller id keeps its own (mesh.md 10.1). One that brought
   * nothing for a while may never arrive, as with a peer behind NAT, which alone can open the way.
   */
  function settleGlare(agentId: string): void {
    const own = offering.get(agentId);
    if (!own) return;
    const isYoung = clock.monotonic() - own.sinceMs < HEAD_START_MS;
    if (self < agentId && isYoung) throw meshError("DUPLICATE", "Our own offer is on its way to you");
    own.stop.abort(OVER);
  }

  function answer(library: WebRtc, agentId: string, sdp: string, hash: string, by: LevelName): UnderAnswer {
    let made: Answering | undefined;
    let cancelled = false;
    const answered = library.answer(sdp).then((given) => {
      made = given;
      if (cancelled) given.cancel();
      given.channel
        .then((channel) => adopt(agentId, channel, by, false, true))
        .catch((error: unknown) => failed(agentId, error))
        .finally(done);
      return answerData(signer, given.sdp);
    });
    answered.catch(() => done());
    const under: UnderAnswer = {
      hash,
      answer: answered,
      cancel() {
        cancelled = true;
        made?.cancel();
      },
    };
    const done = () => {
      if (answering.get(agentId) === under) answering.delete(agentId);
    };
    return under;
  }

  function failed(agentId: string, error: unknown): void {
    if (!hasCode(error, "CHANNEL_FAILED")) {
      report("channel.failed", { peer: shortId(agentId), reason: reasonOf(error) });
    }
  }

  /** The first answer that is the peer's own. Ways follow each other, and overlap when one takes long. */
  async function askedFor(peer: Connection, offer: JsonObject, signal: AbortSignal): Promise<Asked> {
    const isOld = !speaks(peer, "channel/1");
    // What an old peer answers through somebody else it never listens to (mesh.md 10.3).
    const usable = isOld ? paths.filter(({ level }) => level === "direct") : paths;

    async function ask(path: SignalPath): Promise<Asked | undefined> {
      const read = (data: unknown) =>
        readAnswer(verifier, peer.agentId, data, isOld && path.level === "direct");
      const brought = await path.bring(peer, offer, async (data) => (await read(data)) !== undefined, signal);
      if (brought.kind === "refused") return brought.attempt;
      const answer = brought.kind === "answer" ? await read(brought.data) : undefined;
      return answer && { answer, by: path.level };
    }
    async function askFrom(at: number): Promise<Asked | undefined> {
      const path = usable[at];
      if (!path || signal.aborted) return undefined;
      const asked = ask(path);
      const slow = clock.sleep(HEAD_START_MS, signal).then(
        () => "slow" as const,
        () => undefined,
      );
      const first = await Promise.race([asked, slow]);
      if (first === "slow") return firstOf(asked, askFrom(at + 1));
      return first ?? askFrom(at + 1);
    }
    return (await askFrom(0)) ?? "failed";
  }

  async function open(peer: Connection, made: Offering, signal: AbortSignal): Promise<Attempt> {
    const asked = await askedFor(peer, offerData(signer, made.sdp), signal);
    if (typeof asked === "string") return asked;
    if (signal.aborted) return "yielded";
    const channel = await made.accept(asked.answer.sdp);
    await adopt(peer.agentId, channel, asked.by, true, asked.answer.proven);
    return "open";
  }

  return {
    async receive({ from, offer, by }) {
      const read = readOffer(offer);
      const { agentId, sdp } = read;
      if (from !== undefined && from !== agentId)
        throw meshError("FORBIDDEN", "The offer is another agent's");
      if (!(await connections.get(db, agentId))) {
        throw meshError("FORBIDDEN", "Not connected: a channel needs a connection first");
      }
      await requireSigned(verifier, read);
      if (!webRtc || isStopped) throw meshError("FORBIDDEN", "No channels here");
      const hash = sha256Hex(sdp);
      const under = answering.get(agentId);
      // Several relays bring the same offer: all hear the same answer.
      if (under?.hash === hash) return under.answer;
      if (seen.has(agentId, hash)) throw meshError("FORBIDDEN", "This offer was used before");
      if (answering.size >= ANSWERING_MAX || !limiter.take(agentId, OFFERS_PER_MINUTE)) {
        throw meshError("TOO_MANY", "Too many offers");
      }
      settleGlare(agentId);
      seen.remember(agentId, hash);
      under?.cancel();
      const mine = answer(webRtc, agentId, sdp, hash, by);
      answering.set(agentId, mine);
      return mine.answer;
    },

    async offer(peer) {
      const { agentId } = peer;
      if (!webRtc || isStopped || offering.has(agentId) || answering.has(agentId)) return "yielded";
      const stop = new AbortController();
      offering.set(agentId, { stop, sinceMs: clock.monotonic() });
      let made: Offering | undefined;
      let attempt: Attempt = "failed";
      try {
        made = await webRtc.offer();
        attempt = stop.signal.aborted ? "yielded" : await open(peer, made, stop.signal);
      } catch (error) {
        failed(agentId, error);
      } finally {
        if (attempt !== "open") made?.cancel();
        stop.abort(OVER);
        offering.delete(agentId);
      }
      return attempt;
    },

    stop() {
      isStopped = true;
      for (const { stop } of offering.values()) stop.abort(OVER);
      for (const under of answering.values()) under.cancel();
    },
  };
}

type Asked = { readonly answer: Answer; readonly by: LevelName } | Exclude<Attempt, "open">;

/** The first of two that is anything; `undefined` when neither is. */
function firstOf<T>(one: Promise<T | undefined>, other: Promise<T | undefined>): Promise<T | undefined> {
  const found = (promise: Promise<T | undefined>) =>
    promise.then((value) => value ?? Promise.reject(new Error("nothing")));
  return Promise.any([found(one), found(other)]).catch(() => undefined);
}
