import type { Handler } from "@darkmatter/net";
import { answer } from "../json-text.ts";

const CHANGES = new Set(["DELETE", "PATCH", "PUT"]);
const COMMITS = /^\/api\/commits?(?:\/|$)/;

/** Refuses whatever would change commits, below any path of theirs: they are only ever added (ledger.md 1.7). */
export function keepCommits(handler: Handler): Handler {
  return async (request) =>
    CHANGES.has(request.method) && COMMITS.test(request.path) ? refused() : handler(request);
}

const refused = () =>
  answer(
    405,
    {
      error: "A commit is never changed or deleted.",
      code: "method_not_allowed",
      hint: "To correct one, commit an event `redact` that names it.",
    },
    { allow: "GET, POST" },
  );
