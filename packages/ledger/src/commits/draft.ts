import { canon1OfJson, hasCode, type Json, sha256Hex, toHex } from "@darkmatter/core";
import { commitmentToText, SALT_BYTES } from "@darkmatter/proof";
import type { Actor, JournalEvent } from "@darkmatter/store";
import { ledgerError } from "../errors.ts";
import type { Chance } from "./chance.ts";
import type { CommitPayload } from "./commit.ts";

const ID_RANDOM_BYTES = 6;
const SALT_CHARACTERS = 2 * SALT_BYTES;

/** An act on its way into the log: all of it that does not depend on where it will stand. */
export interface Draft {
  readonly id: string;
  readonly acceptedMs: number;
  /** canon-1 text of the payload. */
  readonly payload: string;
  /** JSON text of `{name: {salt, value}}`; what can be erased later. `{}` for an act without fields. */
  readonly fields: string;
}

/**
 * Writes an act down as a payload of commitments and, apart from it, the values they hide. Half a surrogate pair, which
 * a peer may send and no canonical text may hold, becomes U+FFFD: so it is hashed and signed elsewhere, too.
 */
export function draftOf(
  event: JournalEvent,
  acceptedMs: number,
  chance: Chance,
  actor: Actor | undefined = undefined,
): Draft {
  try {
    return draft(event, acceptedMs, chance, actor);
  } catch (error) {
    if (!hasCode(error, "lone_surrogate")) throw error;
    return draft(wholeCharacters(event), acceptedMs, chance, actor);
  }
}

function draft(event: JournalEvent, acceptedMs: number, chance: Chance, actor: Actor | undefined): Draft {
  const names = Object.keys(event.fields);
  const drawn = toHex(chance(ID_RANDOM_BYTES + names.length * SALT_BYTES));
  const idEnd = 2 * ID_RANDOM_BYTES;
  const kept = names.map((name, at) => {
    const salt = drawn.slice(idEnd + at * SALT_CHARACTERS, idEnd + (at + 1) * SALT_CHARACTERS);
    const text = canon1OfJson(event.fields[name]!);
    return {
      name,
      commitment: commitmentToText(salt, name, text),
      text: `${JSON.stringify(name)}:{"salt":"${salt}","value":${text}}`,
    };
  });
  const payload: CommitPayload = {
    act: event.act,
    fields: Object.fromEntries(kept.map(({ name, commitment }) => [name, commitment])),
    ...(event.messageId !== undefined && { message_id: event.messageId }),
    peer: event.peer,
    ...(event.peerCommit !== undefined && { peer_commit: event.peerCommit }),
  };
  return {
    id: `ctx_${acceptedMs}_${drawn.slice(0, idEnd)}`,
    acceptedMs,
    payload: canon1OfJson(signedByActor(payload, actor)),
    fields: `{${kept.map(({ text }) => text).join(",")}}`,
  };
}

/**
 * With the word of whoever acts in the agent's place: its signature over the hash of the payload without that word
 * (mesh.md 22.7). @throws GRANT_OVER once it may act no more. Being in the payload, the agent's own signature covers it, and nobody can take it away.
 */
function signedByActor(payload: CommitPayload, actor: Actor | undefined): CommitPayload {
  if (!actor) return payload;
  const sig = actor.sign(sha256Hex(canon1OfJson(payload)));
  // Without its word the act would stand there as the agent's own.
  if (sig === undefined) throw ledgerError("GRANT_OVER");
  return { ...payload, delegate: { public_key: actor.publicKey, grant: actor.grant, sig } };
}

function wholeCharacters(event: JournalEvent): JournalEvent {
  const { act, trace, peer, messageId, peerCommit, fields } = event;
  return {
    act,
    trace: trace.toWellFormed(),
    peer: peer?.toWellFormed() ?? null,
    messageId: messageId?.toWellFormed(),
    peerCommit: peerCommit?.toWellFormed(),
    fields: wholeJson(fields) as Record<string, Json>,
  };
}

function wholeJson(value: Json | JournalEvent["fields"]): Json {
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(wholeJson);
  return Object.fromEntries(
    Object.entries(value).map(([key, inside]) => [key.toWellFormed(), wholeJson(inside)]),
  );
}
