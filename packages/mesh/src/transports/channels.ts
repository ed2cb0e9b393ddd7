import type { DataChannel } from "@darkmatter/net";
import { shortId } from "../connections/connection.ts";
import type { MeshPorts } from "../ports.ts";
import { channelAddress } from "./channel-exchange.ts";
import { type ChannelOrigin, type ChannelSession, createChannelSession } from "./channel-session.ts";
import type { Connectivity } from "./connectivity.ts";

/** The open channels, at most one to each agent. */
export interface Channels {
  to(agentId: string): ChannelSession | undefined;
  /**
   * Takes an open channel into use; an older one to the same agent ends when nothing is under way on it. `proven`: both
   * descriptions were signed, so that whoever is at the other end is that agent.
   */
  adopt(agentId: string, channel: DataChannel, origin: ChannelOrigin, proven: boolean): void;
  close(agentId: string): void;
  closeAll(): void;
  /** Ends the channels to agents that are not connected any more, and what was begun on others and never finished. */
  tidy(connected: ReadonlySet<string>): void;
  readonly agents: Iterable<string>;
  /** Called each time a channel was taken into use. */
  onOpen(listener: () => void): void;
}

export function createChannels(
  { clock, serving, report }: Pick<MeshPorts, "clock" | "serving" | "report">,
  connectivity: Connectivity,
): Channels {
  const sessions = new Map<string, ChannelSession>();
  const listeners = new Set<() => void>();

  return {
    to: (agentId) => sessions.get(agentId),

    adopt(agentId, channel, origin, proven) {
      const broken = (reason: string) => report("channel.broken", { peer: shortId(agentId), reason });
      const address = channelAddress(agentId);
      const session = createChannelSession(channel, origin, { clock, address, serving, broken });
      const before = sessions.get(agentId);
      sessions.set(agentId, session);
      before?.retire();
      connectivity.reached(agentId, "webrtc", origin.level);
      session.onClose(() => {
        if (sessions.get(agentId) !== session) return;
        sessions.delete(agentId);
        connectivity.lost(agentId, "webrtc");
      });
      if (proven) connectivity.heard(agentId);
      for (const listener of listeners) listener();
    },

    close: (agentId) => sessions.get(agentId)?.close(),

    closeAll() {
      for (const session of [...sessions.values()]) session.close();
    },

    tidy(connected) {
      for (const [agentId, session] of [...sessions]) {
        if (connected.has(agentId) && session.isOpen) session.tidy();
        else session.close();
      }
    },

    get agents() {
      return sessions.keys();
    },

    onOpen: (listener) => void listeners.add(listener),
  };
}
