import { HOUR_MS, SECOND_MS } from "@darkmatter/core";

/** What an anchor holds for agents until they ask for it; each kind apart from the others (mesh.md 5.8). */
export type RelayKind = "webhook" | "connection" | "sdp" | "message";

export interface RelayRules {
  readonly kind: RelayKind;
  /** Entries held for one agent; the oldest goes for a newer one. */
  readonly entriesMax: number;
  readonly lifetimeMs: number;
  /** What a poll's answer calls the entries. */
  readonly list: "callbacks" | "signals" | "messages";
}

export const RELAYS: Readonly<Record<RelayKind, RelayRules>> = {
  webhook: { kind: "webhook", entriesMax: 100, lifetimeMs: HOUR_MS, list: "callbacks" },
  connection: { kind: "connection", entriesMax: 20, lifetimeMs: HOUR_MS, list: "callbacks" },
  sdp: { kind: "sdp", entriesMax: 10, lifetimeMs: 120 * SECOND_MS, list: "signals" },
  message: { kind: "message", entriesMax: 50, lifetimeMs: HOUR_MS, list: "messages" },
};

export const RELAY_KINDS = Object.keys(RELAYS) as readonly RelayKind[];

/** The longest body an anchor carries, in bytes. */
export const RELAY_BYTES_MAX = 128 * 1024;
