import { isAdmissibleKey, isJsonObject, type JsonObject, parseJson, reasonOf } from "@darkmatter/core";
import { baseUrl, validateUrl, type Wire } from "@darkmatter/net";
import { type PeerAnswer, TIMEOUT_MS } from "../peers.ts";

export const WELL_KNOWN = "/.well-known/darkmatter.json";

/** A well-known document worth believing so far: it says what it is and its id is a key. */
export function documentOf({ status, body }: PeerAnswer): (JsonObject & { agent_id: string }) | undefined {
  const { darkmatter, agent_id: agentId } = body;
  if (status !== 200 || darkmatter !== true || typeof agentId !== "string") return undefined;
  return isAdmissibleKey(agentId) && agentId === agentId.toLowerCase()
    ? { ...body, agent_id: agentId }
    : undefined;
}

export type DomainAnswer = { found: true; document: JsonObject } | { found: false; error: string };

/** The document at a domain or URL: https first, http where that cannot be reached (mesh.md 8). */
export async function askDomain(target: string, wire: Wire): Promise<DomainAnswer> {
  const urls = /^[a-z]+:\/\//i.test(target) ? [target] : [`https://${target}`, `http://${target}`];
  let error = "";
  for (const url of urls) {
    const wrong = validateUrl(url);
    if (wrong) return { found: false, error: wrong };
    try {
      const document = documentOf(await fetchDocument(`${baseUrl(url)}${WELL_KNOWN}`, wire));
      if (document) return { found: true, document };
      return { found: false, error: "No DarkMatter node answers there." };
    } catch (failure) {
      error = reasonOf(failure);
    }
  }
  return { found: false, error };
}
const decoder = new TextDecoder();

/** One redirect is followed, and only to a public address: a private one would be a way into this network. */
async function fetchDocument(url: string, wire: Wire): Promise<PeerAnswer> {
  const call = { method: "GET", timeoutMs: TIMEOUT_MS.domain } as const;
  const first = await wire.request({ ...call, url, reach: "private" });
  const to = first.headers.location;
  const redirected = first.status >= 300 && first.status < 400 && to !== undefined && URL.canParse(to, url);
  const answer = redirected
    ? await wire.request({ ...call, url: new URL(to, url).href, reach: "public", redirects: 3 })
    : first;
  const body = parseJson(decoder.decode(answer.body));
  return { status: answer.status, body: isJsonObject(body) ? body : {} };
}
