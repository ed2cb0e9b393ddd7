import { isJsonObject, type Json, type JsonObject, parseJson, SECOND_MS, utf8 } from "@darkmatter/core";

/** The path of frames between nodes that speak `channel/1`; older nodes ignore it (docs/transports.md). */
export const CHANNEL_PATH = "/__darkmatter__/channel";
/** The longest frame, in bytes of UTF-8 (mesh.md 10.2). */
export const FRAME_BYTES_MAX = 16_384;
/** The longest whole text, in bytes of UTF-8. */
export const TEXT_BYTES_MAX = 1024 * 1024;
/** Requests of one peer that are open at once: arriving, or being answered. */
export const OPEN_REQUESTS_MAX = 32;
/** A text that is not whole within this is dropped. */
export const WHOLE_WITHIN_MS = 30 * SECOND_MS;
/** Unfinished texts of one peer together, in bytes: half-sent requests must not fill the memory. */
export const UNFINISHED_BYTES_MAX = 2 * TEXT_BYTES_MAX;

const ID = /^[A-Za-z0-9_-]{1,64}$/;
/** What a frame holds beside its piece of text, at most. */
const ENVELOPE_BYTES = 256;
/** Every character of a text may take six bytes in a frame (`\u001f`), and each frame is filled. */
const PARTS_MAX = Math.ceil((6 * TEXT_BYTES_MAX) / (FRAME_BYTES_MAX - ENVELOPE_BYTES - 6));

/** A frame of the first generation: a request without an answer. */
export interface PlainFrame {
  readonly kind: "plain";
  readonly path: string;
  readonly payload: JsonObject;
}

/** A piece of a request or of its answer. */
export interface Part {
  readonly kind: "part";
  readonly id: string;
  readonly part: number;
  readonly parts: number;
  readonly text: string;
  readonly answer: boolean;
}

/** Reads a frame; `undefined` for one that breaks the rules. */
export function readFrame(text: string): PlainFrame | Part | undefined {
  if (text.length > FRAME_BYTES_MAX || utf8(text).length > FRAME_BYTES_MAX) return undefined;
  const frame = parseJson(text);
  if (!isJsonObject(frame)) return undefined;
  const { path, payload } = frame;
  if (typeof path !== "string" || !isJsonObject(payload)) return undefined;
  return path === CHANNEL_PATH ? readPart(payload) : { kind: "plain", path, payload };
}

function readPart({ id, part, parts, text, answer }: JsonObject): Part | undefined {
  if (typeof id !== "string" || !ID.test(id) || typeof text !== "string") return undefined;
  if (!isCount(parts) || parts < 1 || parts > PARTS_MAX || !isCount(part) || part >= parts) return undefined;
  if (answer !== undefined && answer !== true) return undefined;
  return { kind: "part", id, part, parts, text, answer: answer === true };
}

const isCount = (value: Json | undefined): value is number => Number.isInteger(value) && Number(value) >= 0;

export function plainFrame(path: string, payload: object): string {
  return JSON.stringify({ path, payload });
}

/** The frames of a text; `undefined` when it is too long to be sent at all. */
export function framesOf(id: string, text: string, answer: boolean): string[] | undefined {
  if (text.length > TEXT_BYTES_MAX || utf8(text).length > TEXT_BYTES_MAX) return undefined;
  const pieces = piecesOf(text, FRAME_BYTES_MAX - ENVELOPE_BYTES);
  return pieces.map((piece, part) => {
    const payload = { id, part, parts: pieces.length, text: piece, ...(answer && { answer: true }) };
    return JSON.stringify({ path: CHANNEL_PATH, payload });
  });
}

/** Cuts a text so that each piece takes at most `max` bytes inside a JSON string. An empty text is one piece. */
function piecesOf(text: string, max: number): string[] {
  const pieces: string[] = [];
  let [start, at, bytes] = [0, 0, 0];
  for (const character of text) {
    const size = bytesInJson(character);
    if (bytes + size > max) {
      pieces.push(text.slice(start, at));
      [start, bytes] = [at, 0];
    }
    at += character.length;
    bytes += size;
  }
  pieces.push(text.slice(start));
  return pieces;
}

function bytesInJson(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20 || (code >= 0xd800 && code <= 0xdfff)) return 6;
  if (code === 0x22 || code === 0x5c) return 2;
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  return code < 0x10000 ? 3 : 4;
}

/** What a part made of a text: it is whole now, still wants parts, or the part is out of place. */
export type Joined = { readonly text: string } | "unfinished" | "broken";

/** Texts of one peer that are not whole yet: its requests, or its answers. */
export interface Assembly {
  add(part: Part): Joined;
  /** How many texts are not whole. */
  readonly size: number;
  /** Drops what is not whole after too long; later parts of it are passed over. */
  dropOld(nowMs: number): void;
  /** Nobody waits for this text any more. */
  drop(id: string): void;
}

interface Unfinished {
  readonly parts: number;
  readonly texts: string[];
  readonly sinceMs: number;
  bytes: number;
}

/** `now` is monotonic. */
export function createAssembly(now: () => number): Assembly {
  const unfinished = new Map<string, Unfinished>();
  /** Dropped lately: what still comes of them is no fault of the sender's. */
  const dropped = new Set<string>();
  let bytesHeld = 0;

  function forget(key: string): void {
    bytesHeld -= unfinished.get(key)?.bytes ?? 0;
    unfinished.delete(key);
  }

  function dropOld(nowMs: number): void {
    for (const [key, { sinceMs }] of unfinished) {
      if (nowMs - sinceMs < WHOLE_WITHIN_MS) return;
      forget(key);
      dropped.add(key);
      for (const oldest of dropped) if (dropped.size > OPEN_REQUESTS_MAX) dropped.delete(oldest);
    }
  }

  return {
    get size() {
      return unfinished.size;
    },
    dropOld,
    drop: forget,

    add({ id: key, part, parts, text }) {
      const nowMs = now();
      dropOld(nowMs);
      const known = unfinished.get(key);
      if (!known && part > 0 && dropped.has(key)) return "unfinished";
      const before = known ?? { parts, texts: [], sinceMs: nowMs, bytes: 0 };
      if (part !== before.texts.length || parts !== before.parts) return "broken";
      const bytes = utf8(text).length;
      before.bytes += bytes;
      before.texts.push(text);
      bytesHeld += bytes;
      unfinished.set(key, before);
      if (before.bytes > TEXT_BYTES_MAX || bytesHeld > UNFINISHED_BYTES_MAX) return "broken";
      if (part + 1 < parts) return "unfinished";
      forget(key);
      return { text: before.texts.join("") };
    },
  };
}
