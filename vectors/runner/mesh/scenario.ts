import type { Json, JsonObject } from "@darkmatter/core";
import type { Setup } from "./setup.ts";
import type { Answer } from "./weakness.ts";
import type { Call, World } from "./world.ts";

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: JsonObject;
  readonly raw_body?: string;
}

export interface Step {
  readonly label?: string;
  readonly now: string;
  /** Left out where it is one of many alike: the label says which. */
  readonly request?: Request;
  readonly response: Answer & {
    /** Generated values: these only have to fit. */
    readonly match_regex?: Readonly<Record<string, string>>;
  };
  readonly outbound?: readonly Call[];
  readonly reference_weakness?: string;
}

export interface Scenario {
  readonly name: string;
  readonly setup: Setup;
  readonly steps: readonly Step[];
  readonly state_after?: JsonObject;
  readonly peer_trust_recorded?: JsonObject;
}

export type Peers = Readonly<Record<string, { readonly private_key_hex: string; readonly agent_id: string }>>;

/** What is known while a scenario is played. */
export interface Play {
  readonly scenario: Scenario;
  readonly world: World;
  readonly peers: Peers;
  /** Generated values of the file, and those that stand for them here. */
  readonly live: Map<string, string>;
  /** Challenges of the file, and ours. */
  readonly challenges: Map<string, string>;
  readonly proved: Set<string>;
  /** How many requests alike were made before. */
  alike: number;
  /** Messages the node rightly queued and the reference did not: those after them stand further back. */
  queuedMore: number;
  peerTrust: Json | undefined;
}

/** A step that sends its own Host is one where no public URL is configured. */
export async function send(request: Request, { world, scenario }: Play, remote?: string) {
  const { method, path, headers = {}, body, raw_body: raw } = request;
  const { public_url: publicUrl } = scenario.setup.node;
  world.node.configure({ publicUrl: "host" in headers ? undefined : `${publicUrl}/` });
  const sent = raw ?? body;
  return world.node.local({
    method,
    path,
    headers,
    ...(sent !== undefined && { body: sent }),
    ...(remote !== undefined && { remote }),
  });
}
