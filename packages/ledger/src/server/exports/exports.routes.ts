import type { Answer, Route } from "@darkmatter/surface";
import { whileWaitedFor } from "../caller-gone.ts";
import type { Caller, Ways } from "../callers.ts";
import { shortId } from "../chains/views.ts";
import { serverError } from "../errors.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { bundleOf } from "./bundle.ts";
import { exportOf, type SignLog } from "./export.ts";

/** Chains as files. */
export function exportRoutes(ports: LedgerServerPorts, ways: Ways, signLog: SignLog): Route[] {
  const examples = [
    { name: "a chain", params: { id: "{ctx}" }, status: 200 },
    { name: "no such commit", params: { id: "ctx_1_000000000000" }, status: 404 },
  ];
  const answers = (says: string) => ({
    200: { says },
    404: { says: "this account has no such commit" },
    409: { says: "a step of the chain is damaged on this server: which one; nothing is given out" },
  });
  return [
    ways.byEither({
      method: "GET",
      path: "/api/export/:id",
      isLong: true,
      summary: "Gives a chain as a file that anyone can check without this server",
      contract: { tag: "exports", answers: answers("the file, in canon-1"), examples },
      async handle(request, caller) {
        const id = request.params.id ?? "";
        const wishes = { account: caller.account, id, exportedBy: exporterOf(caller) };
        const body = await exportOf(whileWaitedFor(ports, request), signLog, wishes);
        if (body === undefined) throw serverError("not_found");
        return file(body, `darkmatter_ctx_${shortId(id)}.json`);
      },
    }),
    ways.byKey({
      method: "GET",
      path: "/api/bundle/:id",
      isLong: true,
      summary: "Gives a chain for people to read, with what it takes to recompute its hashes",
      contract: { tag: "exports", answers: answers("the bundle"), examples },
      async handle(request, caller) {
        const id = request.params.id ?? "";
        const wishes = { account: caller.account, id, exportedBy: exporterOf(caller) };
        const body = await bundleOf(whileWaitedFor(ports, request), wishes);
        if (body === undefined) throw serverError("not_found");
        return { status: 200, headers: { "content-type": JSON_TYPE }, body };
      },
    }),
  ];
}

const JSON_TYPE = "application/json; charset=utf-8";

const file = (body: Answer["body"], name: string): Answer => ({
  status: 200,
  headers: { "content-type": JSON_TYPE, "content-disposition": `attachment; filename="${name}"` },
  body,
});

/** A person is named by the account: whoever gets the file need not know an address of theirs. */
const exporterOf = (caller: Caller): string =>
  caller.kind === "key" ? caller.agentId : `account/${caller.account}`;
