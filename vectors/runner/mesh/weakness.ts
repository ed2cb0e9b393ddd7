import type { Json, JsonObject } from "@darkmatter/core";

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

/** What a node should do where the reference does worse. */
export interface Better {
  readonly answer: Answer;
  /** A request that must be refused with this status, before the one of the step. */
  readonly refuseFirst?: { readonly change: (body: JsonObject) => JsonObject; readonly remote?: string };
}

/** Nobody's own machine. */
const ELSEWHERE = "203.0.113.77";
const FORBIDDEN: Answer = { status: 403, body: { error: "refused" } };
const ANSWERED: Answer = { status: 200, body: { success: true, type: "answer" } };
const QUEUED: Answer = { status: 200, body: { success: true, queued: true } };

/**
 * Reads the text beside a weak answer of the reference (`reference_weakness`) as what is to be answered instead.
 * `undefined` when it asks for something this runner does not know how to check.
 */
export function betterThan(weakness: string, recorded: Answer, request: JsonObject): Better | undefined {
  const [, status, told] = /(?:answers (\d{3}) |answer is )(\{[^}]*\})/.exec(weakness) ?? [];
  if (told) return { answer: { status: Number(status ?? 200), body: toldBody(told, request) } };
  if (/then remember the id/.test(weakness)) return { answer: QUEUED };
  if (/send both sets, accept both/.test(weakness)) return { answer: ANSWERED };
  if (/refuse unsigned/.test(weakness)) return { answer: FORBIDDEN };
  if (/restrict to loopback/.test(weakness)) {
    return { answer: recorded, refuseFirst: { change: (body) => body, remote: ELSEWHERE } };
  }
  if (/verify it/.test(weakness)) return { answer: recorded, refuseFirst: { change: forged } };
  if (/no payment is checked/.test(weakness)) {
    return { answer: recorded, refuseFirst: { change: (body) => body } };
  }
  // As recorded there: what the next provider costs is more than is left.
  if (/try the next cheapest/.test(weakness)) return { answer: recorded };
  // A value the reference stores and never reads: the answer is right, its effect is ours to give.
  if (/nothing reads/.test(weakness)) return { answer: recorded };
  return undefined;
}

/** `{success:true, agent_id, score}`: literals as they stand, other names from the request. */
function toldBody(told: string, request: JsonObject): JsonObject {
  const fields = told
    .slice(1, -1)
    .split(",")
    .map((field) => field.trim().split(":"));
  const literal = (text: string) => JSON.parse(text) as Json;
  return Object.fromEntries(
    fields.map(([name = "", value]) => [
      name,
      value === undefined ? (request[name] ?? null) : literal(value),
    ]),
  );
}

function forged(body: JsonObject): JsonObject {
  const signatures = Object.entries(body).filter(([name]) => name.includes("signature"));
  return { ...body, ...Object.fromEntries(signatures.map(([name]) => [name, "00".repeat(64)])) };
}

/** What mesh.md 5.6 says of a path, whatever the reference answered there. */
export function ruledAnswer(path: string): Answer | undefined {
  return /\/admin_update$/.test(path) ? FORBIDDEN : undefined;
}
