import { isUtf8 } from "node:buffer";
import { EXACT_DEPTH_MAX, type MemberText, readMemberTexts } from "@darkmatter/core";
import { type RouteRequest, UNLIMITED } from "@darkmatter/surface";
import { serverError } from "../errors.ts";

/** The members of a body, each as it was sent. */
export type Members = ReadonlyMap<string, MemberText>;

/** A body of 10 MB of payload, and what is around it. */
export const COMMIT_BODY_BYTES_MAX = 12_000_000;

/** What a line of text may not hold: it would break logs and lines of others, and PostgreSQL takes no U+0000. */
const CONTROL = /\p{Cc}/u;

/** The members of a request's body as they were sent, and the canon-1 of all. @throws the codes of ledger.md 2.1 */
export function bodyMembers(request: Pick<RouteRequest, "body">, valuesMax: number) {
  // What is inside a member may itself have as many levels as any JSON here.
  const bounds = { maxDepth: EXACT_DEPTH_MAX + 1, ...(valuesMax !== UNLIMITED && { maxValues: valuesMax }) };
  return readMemberTexts(bodyText(request), bounds);
}

function bodyText({ body }: Pick<RouteRequest, "body">): string {
  if (body.length === 0) return "{}";
  // Bytes that are no UTF-8 would become U+FFFD, and so would what is hashed.
  if (!isUtf8(body)) throw serverError("invalid_request", "The body is not UTF-8.");
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
}

/** A member that is there; null is as absent. */
export function memberOf(members: Members, ...names: readonly string[]): MemberText | undefined {
  for (const name of names) {
    const member = members.get(name);
    if (member && member.canon1 !== "null") return member;
  }
  return undefined;
}

/** A text member without control characters, under the first of its names. @throws invalid_request */
export function lineOf(
  members: Members,
  names: string | readonly string[],
  charactersMax = 200,
): string | undefined {
  const text = anyTextOf(members, names, charactersMax);
  if (text !== undefined && CONTROL.test(text))
    throw serverError("invalid_request", `\`${String(names)}\` holds a control character.`);
  return text;
}

/** A text member that may hold anything. @throws invalid_request */
export function anyTextOf(
  members: Members,
  names: string | readonly string[],
  charactersMax: number,
): string | undefined {
  const member = memberOf(members, ...[names].flat());
  if (!member) return undefined;
  const text: unknown = member.canon1.startsWith('"') ? JSON.parse(member.canon1) : undefined;
  if (typeof text !== "string" || text.length > charactersMax)
    throw serverError(
      "invalid_request",
      `\`${String(names)}\` is a text of at most ${charactersMax} characters.`,
    );
  return text;
}

/** An object member. @throws invalid_request */
export function objectOf(members: Members, name: string): MemberText | undefined {
  const member = memberOf(members, name);
  if (member && !member.canon1.startsWith("{"))
    throw serverError("invalid_request", `\`${name}\` is an object.`);
  return member;
}

/** A member that is true or false. @throws invalid_request */
export function flagOf(members: Members, name: string): boolean | undefined {
  const member = memberOf(members, name);
  if (!member) return undefined;
  if (member.canon1 !== "true" && member.canon1 !== "false")
    throw serverError("invalid_request", `\`${name}\` is true or false.`);
  return member.canon1 === "true";
}
