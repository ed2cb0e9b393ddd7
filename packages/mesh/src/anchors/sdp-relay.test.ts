import type { JsonObject } from "@darkmatter/core";
import { virtualClock } from "@darkmatter/core/testing";
import { createSigner } from "@darkmatter/identity";
import { expect, test } from "vitest";
import type { Anchors } from "./anchors.ts";
import { createSdpDesk, type SdpDesk } from "./sdp-relay.ts";

/** Two desks, and an anchor between them that is only two lists. */
function pair() {
  const clock = virtualClock({ startMs: 0 });
  const signers = [createSigner("11".repeat(32)), createSigner("22".repeat(32))] as const;
  const held = new Map<string, JsonObject[]>(signers.map(({ agentId }) => [agentId, []]));
  const left: string[] = [];
  const leave = async (path: string, body: object) => {
    const [kind = "", to = ""] = path.split("/");
    left.push(kind);
    held.get(to)?.push(body as JsonObject);
    return { taken: held.has(to), perhaps: false, error: undefined };
  };
  const anchors = { urls: () => ["http://anchor"], leave } as unknown as Anchors;
  const desks: SdpDesk[] = [];
  for (const signer of signers) {
    const poll = () => {
      for (const entry of held.get(signer.agentId)?.splice(0) ?? []) void desk.take(entry);
    };
    const desk = createSdpDesk({ clock, signer }, anchors, poll);
    desks.push(desk);
  }
  const [one, other] = desks as [SdpDesk, SdpDesk];
  return { clock, one, other, ids: signers.map(({ agentId }) => agentId) as [string, string], held };
}

const OFFER = { sdp: "offer", type: "offer" };

test("an offer is answered by whom it is for", async () => {
  const { clock, one, other, ids, held } = pair();
  const asked: unknown[] = [];
  other.onOffer(async (from, offer) => {
    asked.push([from, offer]);
    return { sdp: "answer" };
  });
  const answer = one.exchange(ids[1], OFFER);
  await clock.settle();
  for (const entry of held.get(ids[1])?.splice(0) ?? []) await other.take(entry);
  await clock.advance(2000);
  expect(await answer).toEqual({ sdp: "answer" });
  expect(asked).toEqual([[ids[0], OFFER]]);
});

test("an offer nobody answers is waited for 30 s, and no longer", async () => {
  const { clock, one, ids } = pair();
  let ended = false;
  const answer = one.exchange(ids[1], OFFER).finally(() => {
    ended = true;
  });
  await clock.advance(29_000);
  expect(ended).toBe(false);
  await clock.advance(2000);
  expect(await answer).toBeUndefined();
});

test("an answer of somebody who was not asked is none", async () => {
  const { clock, one, ids } = pair();
  const answer = one.exchange(ids[1], OFFER);
  await one.take({ from_agent_id: "ab".repeat(32), type: "answer", answer_data: { sdp: "evil" } });
  await one.take({ from_agent_id: ids[0], type: "answer", answer_data: { sdp: "own" } });
  await one.take({ type: "answer", answer_data: { sdp: "nobody" } });
  await clock.advance(31_000);
  expect(await answer).toBeUndefined();
});

test("an offer for an agent the anchor does not know is given up at once", async () => {
  const { one } = pair();
  expect(await one.exchange("cd".repeat(32), OFFER)).toBeUndefined();
});
