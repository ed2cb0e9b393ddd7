import type { Clock, Random } from "@darkmatter/core";
import type { Signer, Verifier } from "@darkmatter/identity";
import type { Handler, Multicast, PortMapper, WebRtc, Wire } from "@darkmatter/net";
import type { Database, Journal } from "@darkmatter/store";
import type { Helpers } from "./delegation/helpers.ts";
import type { CustomRouting } from "./router/custom.ts";
import type { AgentSettings, ClientName, RouterMode } from "./settings.ts";
import type { WalletProvider } from "./wallets/wallet.ts";

/** What the owner of a node decides; the environment of mesh.md 17. */
export interface MeshConfig {
  /** From the environment; wins over the stored name. */
  readonly displayName: string | undefined;
  /** From the environment; wins over the stored bio. */
  readonly bio: string | undefined;
  /** The base URL other agents are told; found from the listening address when undefined. */
  readonly publicUrl: string | undefined;
  readonly maxConnections: number;
  /** Unread messages held before a sender is told 429. */
  readonly inboxMax: number;
  /** Requests a minute: over all, and from each connection. -1 is unlimited. */
  readonly rateGlobal: number;
  readonly ratePerConnection: number;
  readonly requestExpiryMs: number;
  /** Whether signed messages of agents we are not connected to are taken. */
  readonly acceptStrangers: boolean;
  readonly discovery: boolean;
  readonly discoveryPorts: readonly number[];
  /** Base URLs of servers that keep addresses and relay for agents nobody can reach; none by default. */
  readonly anchors: readonly string[];
  /** `stun:host:port` servers that tell a node how it looks from outside; asked only beyond loopback. */
  readonly stunServers: readonly string[];
  /** A URL that answers `{"ip": …}`; asked only beyond loopback, `undefined` never. */
  readonly ipService: string | undefined;
  /** Whether the router may be asked for a port; asked only beyond loopback. */
  readonly portMapping: boolean;
  /** Where the key lies; shown to the agent, never read by the mesh. */
  readonly passportPath: string;
  /** Which program the agent lives in: decides how a helper of it is started, and how it is woken. */
  readonly client: ClientName;
  /** From the environment; wins over what the owner chose while the node ran. */
  readonly routerMode: RouterMode | undefined;
  /** Helpers started for messages (mesh.md 14, 22.7). */
  readonly agent: AgentSettings;
  /** Called when the agent is to be woken: an http(s) URL, or a command and its arguments. */
  readonly wakeHook: string | undefined;
  /** Goes with the call of a URL, as `Authorization: Bearer`. */
  readonly wakeHookToken: string | undefined;
  /** Base URL of who gets a fee that found no other taker; the first anchor when undefined. */
  readonly superagent: string | undefined;
  /** The most that one payment may move, as decimal text by token (`SOL`, a known name, a mint); `undefined`: anything. */
  readonly paymentMax?: Readonly<Record<string, string>> | undefined;
}

/** Where a node listens, once it does. */
export interface Listening {
  readonly host: string;
  readonly port: number;
}

/** Says what went wrong in the background. Never gets key material or message content. */
export type Report = (event: string, context: Readonly<Record<string, string | number>>) => void;

/** Everything the mesh stands on. */
export interface MeshPorts {
  readonly db: Database;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly random: Random;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly journal: Journal;
  readonly config: MeshConfig;
  /** Where we listen; `undefined` before we do. */
  listening(): Listening | undefined;
  readonly report: Report;
  /** This machine's addresses that others may reach, as they are now. */
  lanAddresses(): readonly string[];
  /** The networks they are in, as `192.168.1.5/24`; without this port every private address counts as in one of ours. */
  lanNetworks?(): readonly string[];
  /** The node's own handler, for requests that come by another way than its server; `undefined` before it serves. */
  serving(): Handler | undefined;
  /** Absent where the system has none, and where nothing beyond loopback is listened to. */
  readonly multicast?: Multicast | undefined;
  /** Absent where no library for it could be installed. */
  readonly webRtc?: WebRtc | undefined;
  readonly portMapper?: PortMapper | undefined;
  /** What the agent owns; none where its owner wants none. */
  readonly wallets?: readonly WalletProvider[] | undefined;
  /** Absent where no other program may be started. */
  readonly helpers?: Helpers | undefined;
  /** The owner's own routers, where there are some. */
  readonly customRouting?: CustomRouting | undefined;
}
