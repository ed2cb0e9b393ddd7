import { AgentId, exceedsCodePoints, isAdmissibleKey, parseTime } from "@darkmatter/core";
import { validateUrl } from "@darkmatter/net";
import { meshError } from "../errors.ts";
import {
  agentIdField,
  BIO_CODE_POINTS_MAX,
  type Body,
  cutField,
  lineField,
  listField,
  NAME_CODE_POINTS_MAX,
  requireFields,
  textField,
  textsField,
} from "../fields.ts";
import type { PeerDetails } from "./connection.ts";

/** The same details travel under two spellings (mesh.md 5.2). */
const SPELLINGS = {
  request: {
    agentId: "from_agent_id",
    url: "from_agent_url",
    bio: "from_agent_bio",
    key: "from_agent_public_key_hex",
    name: "from_agent_display_name",
    wallet: "from_agent_wallet_address",
  },
  acceptance: {
    agentId: "agent_id",
    url: "agent_url",
    bio: "agent_bio",
    key: "agent_public_key_hex",
    name: "agent_display_name",
    wallet: "wallet_address",
  },
} as const;

type Spelling = keyof typeof SPELLINGS;

/** Reads what a peer says of itself. The id must be an admissible key, and a key given must be the id (S1). */
export function parsePeerDetails(body: Body, spelling: Spelling): PeerDetails {
  const field = SPELLINGS[spelling];
  requireFields(body, [field.agentId, field.url]);
  const agentId = agentIdField(body, field.agentId) ?? "";
  const url = lineField(body, field.url) ?? "";
  const wrongUrl = validateAgentUrl(url);
  if (wrongUrl) throw meshError("BAD_REQUEST", wrongUrl);
  requireKey(agentId, field.agentId);

  const key = textField(body, field.key)?.toLowerCase() ?? null;
  if (key !== null && key !== agentId) throw meshError("BAD_REQUEST", `${field.key} must be the agent id.`);

  const wallets = textsField(body, "wallets");
  const legacyWallet = textField(body, field.wallet);
  if (Object.keys(wallets).length === 0 && legacyWallet) wallets.solana = legacyWallet;
  return {
    agentId,
    url,
    bio: cutField(body, field.bio, BIO_CODE_POINTS_MAX) ?? "",
    displayName: cutField(body, field.name, NAME_CODE_POINTS_MAX) ?? null,
    publicKeyHex: key,
    wallets,
    createdAt: birthday(body),
    features: listField(body, "features").filter((feature) => feature.length <= 64),
  };
}

/** Why a URL cannot be an agent's: paths are put behind it, and a query or fragment would swallow them. */
export function validateAgentUrl(url: string): string | undefined {
  return validateUrl(url) ?? (/[?#]/.test(url) ? "The URL holds a query or a fragment." : undefined);
}

/** Refuses an agent id that is not an admissible public key. */
export function requireKey(agentId: string, name: string): void {
  if (!AgentId.safeParse(agentId).success || !isAdmissibleKey(agentId)) {
    throw meshError(
      "BAD_REQUEST",
      `Invalid field: ${name} must be an Ed25519 public key of 64 hex characters.`,
    );
  }
}

function birthday(body: Body): string | null {
  const text = textField(body, "created_at");
  if (text === undefined || exceedsCodePoints(text, 64)) return null;
  return parseTime(text) === undefined ? null : text;
}

/** Writes our own details under the spelling asked for. */
export function writePeerDetails(details: PeerDetails, spelling: Spelling): Record<string, unknown> {
  const field = SPELLINGS[spelling];
  return {
    [field.agentId]: details.agentId,
    [field.url]: details.url,
    [field.bio]: details.bio,
    [field.key]: details.publicKeyHex,
    [field.name]: details.displayName,
    wallets: details.wallets,
    [field.wallet]: details.wallets.solana ?? null,
    created_at: details.createdAt,
    features: details.features,
  };
}
