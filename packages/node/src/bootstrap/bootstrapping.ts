import type { Clock } from "@darkmatter/core";
import type { Layer } from "../assembly.ts";
import type { BundleSource } from "./adapters/bundle.ts";
import { bootstrapRoutes } from "./bootstrap.routes.ts";
import { templateTool } from "./bootstrap.tools.ts";

export interface BootstrapPorts {
  readonly bundle: BundleSource;
  readonly clock: Clock;
  /** This node's base URL, once it listens. */
  base(): string | undefined;
}

/** A layer that also hands out the program it is part of. */
export function bootstrapping(layer: Layer, { bundle, clock, base }: BootstrapPorts): Layer {
  // Whoever looks for other agents may want to make one.
  const looking = layer.tools.tools.find(({ name }) => name === "darkmatter_discover_local");
  const isLonely = () => looking?.visible() ?? false;
  return {
    ...layer,
    routes: [...layer.routes, ...bootstrapRoutes(bundle, clock)],
    tools: { ...layer.tools, tools: [...layer.tools.tools, templateTool(bundle, base, isLonely)] },
  };
}
