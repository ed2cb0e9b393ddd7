import { canon1, type ExactJson, type ExactObject, parseTime, sha256Hex } from "@darkmatter/core";
import type { VerifySignature } from "../signatures.ts";
import { joinedLines } from "../signed-lines.ts";
import { inForm, isObject, jcsHash, jcsText, type Said } from "./disclosed.ts";
import { hash, signature } from "./forms.ts";
import { anObject, closedObject, ifThere, type Read, text } from "./reader.ts";
import type { Passport } from "./step-form.ts";

/** A grant as `delegation.granted` records it (mesh.md 22.7). */
interface Grant {
  readonly child_public_key: string;
  readonly scope: ExactObject;
  readonly not_before: string;
  readonly not_after: string;
  readonly sig: string;
}

const grantForm: Read<Grant> = closedObject({
  child_public_key: hash,
  scope: anObject,
  not_before: text,
  not_after: text,
  sig: signature,
});
const scopeForm = closedObject({
  message_id: ifThere(text),
  request_id: ifThere(text),
  tools: (value: ExactJson | undefined) => value,
  peers: (value: ExactJson | undefined) => value,
});

/**
 * Why a commit that a helper made cannot be believed: its signature does not hold, or the grant it names, where that is
 * disclosed in the same bundle, is not the agent's, or is for another message or another time.
 */
export async function delegateReason(
  { payload }: Pick<Passport, "payload">,
  atText: string,
  said: readonly Said[],
  agentId: string,
  verify: VerifySignature,
): Promise<string | undefined> {
  const named = payload?.get("delegate");
  if (!payload || named === undefined || !isObject(named)) return undefined;
  const [key, grantHash, sig] = ["public_key", "grant", "sig"].map((name) => String(named.get(name)));
  const without = new Map([...payload].filter(([name]) => name !== "delegate"));
  if (!(await verify(key ?? "", sha256Hex(canon1(without)), sig ?? "")))
    return "the delegate's signature does not hold";
  const grant = grantOf(said, grantHash ?? "");
  if (grant === undefined) return undefined;
  if (typeof grant === "string") return `the grant of its delegate: ${grant}`;
  if (grant.child_public_key !== key) return "the grant is of another delegate";
  const [from, until, at] = [grant.not_before, grant.not_after, atText].map(parseTime);
  // Commits are told in whole seconds.
  if (from === undefined || until === undefined || at === undefined || at < from - 1000 || at > until)
    return "the grant is of another time";
  if (!isFor(grant.scope, payload)) return "the grant is for another message";
  const scope = jcsText(grant.scope);
  const { not_before, not_after } = grant;
  const signed =
    scope === undefined
      ? undefined
      : joinedLines("darkmatter.grant.v1", agentId, grant.child_public_key, scope, not_before, not_after);
  const isSigned = signed !== undefined && (await verify(agentId, signed, grant.sig));
  return isSigned ? undefined : "the agent did not sign the grant of its delegate";
}

function grantOf(said: readonly Said[], grantHash: string): Grant | string | undefined {
  for (const { payload, disclosed } of said) {
    const grant = payload?.act === "delegation.granted" ? disclosed.get("grant") : undefined;
    if (grant !== undefined && isObject(grant) && jcsHash(grant) === grantHash)
      return inForm(grantForm, grant);
  }
  return undefined;
}

function isFor(scope: ExactObject, payload: ExactObject): boolean {
  const read = inForm(scopeForm, scope);
  if (typeof read === "string") return false;
  return read.message_id === undefined || read.message_id === payload.get("message_id");
}
