import type { RouteRequest } from "../route.ts";
import type { Delegate } from "../tool.ts";
import type { Exchange, McpRoutesOptions } from "./http.ts";

const BEARER = /^bearer +([\x21-\x7e]{1,512}) *$/i;

/** One exchange for each helper that has called, from its first call to its end: no session of one is another's. */
export function createDelegateExchanges({ delegates, ...options }: McpRoutesOptions) {
  const open = new Map<string, Promise<Exchange>>();

  function begin(delegate: Delegate): Promise<Exchange> {
    const started = import("./http-exchange.ts").then(({ createExchange }) =>
      createExchange(delegate.table, options),
    );
    open.set(delegate.id, started);
    delegate.over.addEventListener("abort", () => void end(delegate.id), { once: true });
    return started;
  }

  async function end(id: string): Promise<void> {
    const exchange = open.get(id);
    open.delete(id);
    await exchange
      ?.then((one) => one.close())
      .catch((error: unknown) => {
        options.onError({ session: id, tool: undefined, error });
      });
  }

  return {
    /** Whether a request names a helper, rightly or not. */
    isFor: ({ headers }: Pick<RouteRequest, "headers">): boolean =>
      delegates !== undefined && headers.authorization !== undefined,

    /** `undefined` for a token that is nobody's. */
    async of({ headers }: Pick<RouteRequest, "headers">): Promise<Exchange | undefined> {
      const [, token] = BEARER.exec(headers.authorization ?? "") ?? [];
      const delegate = token === undefined ? undefined : delegates?.(token);
      if (!delegate?.mayAct()) return undefined;
      return open.get(delegate.id) ?? begin(delegate);
    },

    close: async () => void (await Promise.all([...open.keys()].map(end))),
  };
}
