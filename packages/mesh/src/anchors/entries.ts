import { isJsonObject, type JsonObject, parseJson, utf8 } from "@darkmatter/core";
import type { InboundRequest } from "@darkmatter/net";
import type { RelayKind } from "../anchor/relay-kind.ts";
import type { MeshPorts } from "../ports.ts";
import type { TakeEntry } from "./polls.ts";
import { unwrapped } from "./relayed.ts";
import { openedCallback } from "./sealed-callback.ts";

/** Handles an offer or an answer for a data channel that came through an anchor. */
export type TakeSignal = (signal: JsonObject) => Promise<void>;

/** Tells a message's webhook our receipt for it. */
export type TellReceipt = (message: JsonObject, receipt: JsonObject) => void;

const MESSAGE_ID = /^[A-Za-z0-9_-]{1,128}$/;
/** Answers by which this node says: not now. */
const LATER = [429, 503];

/**
 * Hands what came through an anchor to this node's own handler, as from a caller elsewhere: every check there is for
 * requests is made. Anything that is none is dropped, and said so.
 */
export function createEntries(
  ports: Pick<MeshPorts, "serving" | "clock" | "signer" | "report">,
  takeSignal: TakeSignal,
  tellReceipt: TellReceipt,
): TakeEntry {
  const { clock, report } = ports;

  async function serve(path: string, body: JsonObject): Promise<boolean> {
    const handler = ports.serving();
    if (!handler) return false;
    const { status, body: answer } = await handler(inbound(path, body, clock.deadline(HANDLING_MS)));
    // Its sender waits for no answer: what it would have read there is told to it.
    const said = typeof answer === "string" ? parseJson(answer) : undefined;
    if (isJsonObject(said) && isJsonObject(said.receipt)) tellReceipt(body, said.receipt);
    return !LATER.includes(status);
  }

  function dropped(kind: RelayKind): boolean {
    report("anchor.dropped", { kind });
    return true;
  }

  return async (kind, entry) => {
    switch (kind) {
      case "webhook": {
        const { message_id: id, data } = entry;
        if (typeof id !== "string" || !MESSAGE_ID.test(id) || !isJsonObject(data)) return dropped(kind);
        const told = openedCallback(ports, id, data);
        return told ? serve(`webhook/${id}`, told) : dropped(kind);
      }
      case "connection":
        return serve("connection_accepted", entry);
      case "message": {
        const brought = unwrapped(ports, entry);
        return brought ? serve(brought.path, brought.body) : dropped(kind);
      }
      case "sdp":
        await takeSignal(entry);
        return true;
    }
  };
}

const HANDLING_MS = 30_000;

/** From nowhere in particular, and by way of somebody: never taken for this machine or its network. */
function inbound(path: string, body: JsonObject, signal: AbortSignal): InboundRequest {
  return {
    method: "POST",
    path: `/__darkmatter__/${path}`,
    query: "",
    headers: { "content-type": "application/json", via: "anchor" },
    body: utf8(JSON.stringify(body)),
    remote: { address: "0.0.0.0", loopback: false },
    signal,
  };
}
