import { isJsonObject, type JsonObject, parseTime } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import type { Addresses } from "../addresses/addresses.ts";
import { endpoint, speaks } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import type { Identity } from "../identity/identity.ts";
import type { Impressions } from "../impressions/impressions.ts";
import type { MeshPorts } from "../ports.ts";
import type { Connectivity } from "../transports/connectivity.ts";
import type { Transports } from "../transports/transport.ts";
import { type HeldSignal, readSignal, setHanded, setPassedOn } from "./antimatter.store.ts";
import { type Neighbour, neighbours } from "./around.ts";
import { askPeer } from "./calls.ts";
import { type Ask, type GameResult, playGame } from "./game.ts";
import { handedOn } from "./handoffs.ts";
import type { Log } from "./log.ts";
import { HOPS_MAX, nextStep, type Resolution, type Step } from "./routing.ts";
import { SIGNAL_LIFETIME_MS } from "./signal.ts";
import { chooseVeteran, drawFraction } from "./veterans.ts";

/** What breaking a commitment costs. */
const LIE_LOSS = -0.1;

export interface HoldingServices {
  readonly addresses: Addresses;
  readonly connections: Connections;
  readonly connectivity: Connectivity;
  readonly identity: Identity;
  readonly impressions: Impressions;
  readonly transports: Transports;
  /** Ends a signal; `false` for one that has ended. */
  end(tx: Write, held: HeldSignal, how: Ending): Promise<boolean>;
  readonly log: Log;
}

/** How a signal ended: whose wallet gets the fee, empty for nobody's. */
export interface Ending {
  readonly resolution: Resolution;
  readonly destination: string;
  readonly resolvedBy: string;
}

/** Playing for a signal, and handing it on. */
export interface Holding {
  /** Plays for an open signal, unless that goes on already. */
  play(key: string): Promise<void>;
}

export function createHolding(ports: MeshPorts, services: HoldingServices): Holding {
  const { db, clock, random, signer } = ports;
  const { connections, identity, impressions, transports, end, log } = services;
  const self = signer.agentId;
  const playing = new Set<string>();

  const ask: Ask<Neighbour> = async ({ peer }, body) => {
    const answer = await askPeer(transports, peer, "match", body);
    return answer && answer.status < 400 && isJsonObject(answer.body) ? answer.body : undefined;
  };

  /** A signal that comes from nobody we know is no reason to call all our peers. */
  async function mayPlay({ role, signal }: HeldSignal): Promise<boolean> {
    const before = signal.path.at(-1);
    return role === "originator" || (before !== undefined && (await connections.has(db, before)));
  }

  async function game(held: HeldSignal): Promise<GameResult<Neighbour>> {
    const { players } = await neighbours(db, held.signal.path, services);
    const playable = (await mayPlay(held)) ? players : [];
    const result = await playGame(held.signal.signal_id, playable, ask, random);
    if (result.liars.length > 0) {
      await db.write(async (tx) => {
        for (const { agentId } of result.liars) await impressions.nudge(tx, agentId, LIE_LOSS);
      });
    }
    return result;
  }

  async function veteranFor({ signal }: HeldSignal): Promise<Neighbour | undefined> {
    const { createdAt } = await identity.profile(db);
    const { candidates } = await neighbours(db, signal.path, services);
    return chooseVeteran(candidates, {
      selfCreatedAt: createdAt,
      nowMs: clock.now(),
      // The path holds the payee; neither it nor the payer decides about, or gets, its own fee.
      excluded: new Set([...signal.path, signal.sender_agent_id, self]),
      draw: drawFraction(random),
    });
  }

  async function nextOf(held: HeldSignal): Promise<Step<Neighbour>> {
    const { outcome } = await game(held);
    const { hops, path, created_at: createdAt, max_hops: hopsMax } = held.signal;
    const isLate = clock.now() - (parseTime(createdAt) ?? 0) > SIGNAL_LIFETIME_MS;
    if (isLate) return { kind: "resolve", resolution: "timeout", winner: undefined };
    const veteran = outcome === "nobody" ? undefined : await veteranFor(held);
    return nextStep(outcome, Math.max(hops, path.length), Math.min(hopsMax, HOPS_MAX), () => veteran);
  }

  /** Where the next holders tell us the end. */
  function ownCallback(to: Neighbour): string {
    const base = services.addresses.behindNat()
      ? services.addresses.base(to.peer.url)
      : services.addresses.base();
    return endpoint(base, "antimatter_result");
  }

  async function hand(held: HeldSignal, to: Neighbour): Promise<void> {
    const { key, role, signal, handoffs } = held;
    const isSigned = speaks(to.peer, "antimatter/1");
    // A holder that signs nothing is vouched for by the last that does, and tells us instead of the originator.
    const vouches = role === "holder" && handoffs.length > 0 && !isSigned;
    const answersToUs = role === "originator" || vouches;
    const callbackUrl = answersToUs ? ownCallback(to) : signal.callback_url;
    const kept = role === "originator" ? callbackUrl : signal.callback_url;
    const hops = Math.max(signal.hops, signal.path.length) + 1;
    const handed = { ...signal, callback_url: callbackUrl, hops, path: [...signal.path, self] };
    const chain = isSigned ? { handoffs: handedOn(signer, handed, handoffs, to.agentId) } : {};
    // Written down first: whatever happens after this, nobody else is handed it.
    const isOurs = await db.write((tx) =>
      setHanded(tx, key, {
        to: answersToUs ? to.agentId : null,
        callbackUrl: kept,
        mustBeSigned: isSigned,
      }),
    );
    if (!isOurs) return;
    const answer = await askPeer(transports, to.peer, "signal", {
      ...handed,
      ...chain,
    } as unknown as JsonObject);
    await db.write(async (tx) => {
      if (answer === undefined || answer.status >= 400) return void (await end(tx, held, terminal()));
      await log(tx, "forwarded", { signal_id: signal.signal_id, to_agent_id: to.agentId, hops });
      if (!answersToUs) await setPassedOn(tx, key, clock.now());
    });
  }

  const terminal = (): Ending => ({ resolution: "terminal", destination: "", resolvedBy: self });

  async function playOn(key: string): Promise<void> {
    const held = await readSignal(db, key);
    if (held?.state !== "open") return;
    const step = await nextOf(held);
    if (step.kind === "hand") return hand(held, step.to);
    const { resolution, winner } = step;
    const ending: Ending = { ...terminal(), resolution };
    const won = winner?.wallet ? { destination: winner.wallet, resolvedBy: winner.agentId } : {};
    await db.write((tx) => end(tx, held, { ...ending, ...won }));
  }

  return {
    async play(key) {
      if (playing.has(key)) return;
      playing.add(key);
      try {
        await playOn(key);
      } finally {
        playing.delete(key);
      }
    },
  };
}
