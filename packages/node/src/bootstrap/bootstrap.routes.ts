import { type Clock, hasCode } from "@darkmatter/core";
import {
  type Answer,
  createWindowLimiter,
  type Guard,
  isProxied,
  type Route,
  type RouteRequest,
  refusal,
} from "@darkmatter/surface";
import type { BundleSource } from "./adapters/bundle.ts";
import { baseOf, bootstrapScript } from "./script.ts";

/** A minute; the bundle is large, and whoever installs needs it once. */
const REQUESTS_A_MINUTE = 60;
const REQUESTS_OF_ONE_A_MINUTE = 20;
/** There is nothing to say in a body. */
const BODY_BYTES = 1024;

/** How an agent elsewhere gets this program from this node (mesh.md 5.7). */
export function bootstrapRoutes(bundle: BundleSource, clock: Clock): Route[] {
  const limiter = createWindowLimiter({ clock });
  const rate: Guard = ({ remote }) => {
    const isTaken =
      limiter.hasRoom("all", REQUESTS_A_MINUTE) &&
      limiter.take(remote.address, REQUESTS_OF_ONE_A_MINUTE) &&
      limiter.take("all", REQUESTS_A_MINUTE);
    return isTaken ? undefined : refusal(429, "Too many requests");
  };
  const get = (path: string, summary: string, handle: Route["handle"]): Route => ({
    method: "GET",
    path,
    summary,
    guards: [rate],
    body: "none",
    maxBytes: BODY_BYTES,
    handle: (request) => handle(request).catch(unavailable),
  });

  async function script(request: RouteRequest): Promise<Answer> {
    const base = baseOf(request.headers.host, schemeOf(request));
    if (base === undefined) return refusal(400, "The Host or scheme of the request is not one");
    return tagged(request, bootstrapScript(base, (await bundle()).sha256), undefined);
  }

  async function source(request: RouteRequest): Promise<Answer> {
    const { bytes, sha256 } = await bundle();
    return tagged(request, bytes, sha256);
  }

  return [
    get("/bootstrap", "A shell script that installs this node's program.", script),
    get("/bootstrap/server.mjs", "That program in one file.", source),
    get("/bootstrap/server.py", "The same, under the name nodes of the first generation used.", source),
  ];
}

/** A proxy says by which scheme it was called; nobody else does. */
function schemeOf(request: RouteRequest): string | undefined {
  return isProxied(request) ? (request.headers["x-forwarded-proto"] ?? "http") : "http";
}

/** Text that a caller who has it already is not sent again. */
function tagged({ headers }: RouteRequest, body: string | Uint8Array, sha256: string | undefined): Answer {
  const tag = sha256 && `"${sha256}"`;
  const common = {
    "content-type": "text/plain; charset=utf-8",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
    ...(tag && { etag: tag }),
  };
  const known = headers["if-none-match"]?.split(",").map((one) => one.trim().replace(/^W\//, ""));
  return tag && known?.includes(tag)
    ? { status: 304, headers: common, body: "" }
    : { status: 200, headers: common, body };
}

function unavailable(error: unknown): Answer {
  if (hasCode(error, "NO_BUNDLE")) return refusal(503, "This node cannot hand out its program");
  throw error;
}
