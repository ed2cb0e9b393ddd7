import { addressClass } from "../addresses.ts";
import { netError } from "../errors.ts";
import type { PortMapper, PortMapping } from "../port-mapping.ts";
import type { Handler } from "../wire.ts";

/** A computer, as the in-memory internet keeps it. */
export interface Machine {
  readonly name: string;
  address: string;
  /** What it stands behind; absent in the open. */
  box: Box | undefined;
  isDown: boolean;
  readonly ports: Map<number, Handler>;
  /** Aborted, and made anew, when every connection to it breaks. */
  broken: AbortController;
}

/** A router with a private network behind it. */
export interface Box {
  address: string;
  /** Whether a mapping leads in for whoever knows it, or only for the host it was made towards. */
  readonly mapping: "endpoint-independent" | "symmetric";
  readonly hairpin: boolean;
  readonly forwards: Map<number, { readonly machine: Machine; readonly port: number }>;
}

/** Where a connection leads, and the address it seems to come from. */
export interface Route {
  readonly target: Machine;
  readonly port: number;
  readonly from: string;
}

const ROUTER_PORT_MIN = 30_000;

/** The way from a machine to an address and port; `undefined` when nothing answers there. */
export function routeTo(
  machines: readonly Machine[],
  boxes: readonly Box[],
  caller: Machine,
  address: string,
  port: number,
): Route | undefined {
  if (addressClass(address) === "loopback") return { target: caller, port, from: "127.0.0.1" };
  const near = machines.find((machine) => machine.box === caller.box && machine.address === address);
  if (near === caller) return { target: near, port, from: caller.address };
  if (caller.isDown) return undefined;
  if (near) return near.isDown ? undefined : { target: near, port, from: caller.address };
  const from = caller.box?.address ?? caller.address;
  const box = boxes.find((one) => one.address === address);
  if (box) {
    const forward = box === caller.box && !box.hairpin ? undefined : box.forwards.get(port);
    return forward && !forward.machine.isDown
      ? { target: forward.machine, port: forward.port, from }
      : undefined;
  }
  const open = machines.find((machine) => machine.box === undefined && machine.address === address);
  // A router sends nothing to private addresses of the outside.
  if (!open || open.isDown || (caller.box && addressClass(address) === "private")) return undefined;
  return { target: open, port, from };
}

/**
 * Whether two machines can open a path for datagrams to each other, both trying at once and both knowing how they
 * look from outside. Two routers that map anew for each destination never meet.
 */
export function canPunch(one: Machine, other: Machine): boolean {
  if (one.isDown || other.isDown) return false;
  if (one.box === other.box) return true;
  return one.box?.mapping !== "symmetric" || other.box?.mapping !== "symmetric";
}

/** Asks the router a machine stands behind, as UPnP does. */
export function boxMapper(machine: Machine, take: (below: number) => number): PortMapper {
  return {
    async map({ internalPort, externalPort: wished }) {
      const { box } = machine;
      if (!box) throw netError("MAPPING_FAILED");
      const isFree = (port: number) => (box.forwards.get(port)?.machine ?? machine) === machine;
      const externalPort =
        wished !== undefined && isFree(wished) ? wished : ROUTER_PORT_MIN + take(ROUTER_PORT_MIN);
      const forward = { machine, port: internalPort };
      box.forwards.set(externalPort, forward);
      const mapping: PortMapping = {
        externalAddress: box.address,
        externalPort,
        by: "upnp",
        async renew() {
          if (box.forwards.get(externalPort) !== forward) throw netError("MAPPING_FAILED");
        },
        async remove() {
          box.forwards.delete(externalPort);
        },
      };
      return mapping;
    },
  };
}
