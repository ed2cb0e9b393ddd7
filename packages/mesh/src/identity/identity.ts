import { cutCodePoints, isoTime, type Random } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import type { Addresses } from "../addresses/addresses.ts";
import type { PeerDetails } from "../connections/connection.ts";
import { FEATURES } from "../connections/connection.ts";
import { BIO_CODE_POINTS_MAX, NAME_CODE_POINTS_MAX } from "../fields.ts";
import type { MeshPorts } from "../ports.ts";
import type { Wallets } from "../wallets/wallets.ts";
import { readSetting, readSettings, writeSetting } from "./identity.store.ts";

export const DEFAULT_BIO = "A DarkMatter mesh agent.";

/** Bios that say nothing: the agent is asked to write its own. */
export const GENERIC_BIOS: readonly string[] = [
  "",
  DEFAULT_BIO,
  "Description of what this agent specializes in",
];

export interface Profile {
  readonly displayName: string;
  readonly bio: string;
  /** First start of this passport (ISO 8601); peers take it for our age. */
  readonly createdAt: string;
}

/** Who this node says it is. */
export interface Identity {
  readonly agentId: string;
  profile(tx: Read): Promise<Profile>;
  /** Gives a new node a name and a birthday; lets the environment overrule what is stored. */
  initialise(tx: Write): Promise<void>;
  setBio(tx: Write, bio: string): Promise<string>;
  setDisplayName(tx: Write, name: string): Promise<string>;
  /** The base URL told to agents we know nothing of, without a trailing slash. */
  base(): string;
  /** What we tell an agent at `peerUrl`. `url` carries `/mcp`, as nodes of the first generation send it. */
  details(tx: Read, peerUrl?: string): Promise<PeerDetails>;
}

export function createIdentity(
  { signer, clock, random, config }: MeshPorts,
  addresses: Pick<Addresses, "base">,
  { addresses: wallets }: Pick<Wallets, "addresses">,
): Identity {
  async function profile(tx: Read): Promise<Profile> {
    const set = await readSettings(tx, ["display_name", "bio", "created_at"]);
    return {
      displayName: set.display_name ?? "",
      bio: set.bio ?? DEFAULT_BIO,
      createdAt: set.created_at ?? isoTime(clock.now()),
    };
  }

  return {
    agentId: signer.agentId,
    profile,
    base: () => addresses.base(),

    async initialise(tx) {
      const name = config.displayName ?? (await readSetting(tx, "display_name")) ?? randomName(random);
      await writeSetting(tx, "display_name", cutCodePoints(name, NAME_CODE_POINTS_MAX));
      const bio = config.bio ?? (await readSetting(tx, "bio")) ?? DEFAULT_BIO;
      await writeSetting(tx, "bio", cutCodePoints(bio, BIO_CODE_POINTS_MAX));
      if (!(await readSetting(tx, "created_at"))) await writeSetting(tx, "created_at", isoTime(clock.now()));
    },

    async setBio(tx, bio) {
      const kept = cutCodePoints(bio, BIO_CODE_POINTS_MAX);
      await writeSetting(tx, "bio", kept);
      return kept;
    },

    async setDisplayName(tx, name) {
      const kept = cutCodePoints(name, NAME_CODE_POINTS_MAX);
      await writeSetting(tx, "display_name", kept);
      return kept;
    },

    async details(tx, peerUrl) {
      const { displayName, bio, createdAt } = await profile(tx);
      return {
        agentId: signer.agentId,
        url: `${addresses.base(peerUrl)}/mcp`,
        bio,
        displayName,
        publicKeyHex: signer.agentId,
        wallets,
        createdAt,
        features: FEATURES,
      };
    },
  };
}

const ADJECTIVES = [
  "amber",
  "brisk",
  "calm",
  "clear",
  "deft",
  "early",
  "fair",
  "keen",
  "light",
  "mild",
  "quiet",
  "steady",
];
const NOUNS = [
  "aster",
  "beacon",
  "comet",
  "delta",
  "ember",
  "fjord",
  "grove",
  "heron",
  "island",
  "lantern",
  "orbit",
  "quartz",
];

function randomName(random: Random): string {
  return `${ADJECTIVES[random.integer(ADJECTIVES.length)]}-${NOUNS[random.integer(NOUNS.length)]}`;
}
