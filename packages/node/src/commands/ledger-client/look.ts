import type { JsonObject } from "@darkmatter/core";
import { type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { nodeError } from "../../errors.ts";
import type { Passport } from "../../ledger-client/answers.ts";
import { brief, numberOption, textOption } from "../context.ts";
import { RECENT_DEFAULT } from "../history-text.ts";
import { type AtServer, atServer } from "./at-server.ts";
import { isSoundPassport, passportLines } from "./passport-text.ts";

const PAGE_MAX = 200;
const LIST_DEFAULT = 50;
const LIST_MAX = 10_000;
const PULL_MAX = 1000;

export const me = (input: CommandInput): Promise<ExitCode> =>
  atServer(input, async ({ client, settings }) => {
    const found = await client.me();
    const isOther = settings.agentId !== undefined && settings.agentId !== found.agentId;
    const lines = [
      `${brief(found.agentName, 100)} (${brief(found.agentId, 40)}) at ${client.host}`,
      ...(isOther
        ? [`DARKMATTER_AGENT_ID is ${settings.agentId}: it is not the agent of this key. Correct it.`]
        : []),
    ];
    input.out.result(lines.join("\n"), { ...(found as JsonObject), host: client.host });
    return isOther ? EXIT_FAILURE : EXIT_OK;
  });

/** The newest commits of the account, by searching for nothing in particular. */
export const recentAtServer = (input: CommandInput, at: AtServer): Promise<ExitCode> =>
  list(input, at, {
    query: {},
    limit: numberOption(input, "limit", LIST_MAX) ?? RECENT_DEFAULT,
    empty: "Nothing was committed yet in this account.",
    isNumbered: true,
    hint: "Step by step: darkmatter replay NUMBER --server · as proof: darkmatter export NUMBER --server",
  });

export const search = (input: CommandInput): Promise<ExitCode> => {
  const { options } = input;
  const query = {
    q: input.args.text,
    model: textOption(options.model),
    provider: textOption(options.provider),
    event: textOption(options.event),
    traceId: textOption(options.trace),
    agentId: textOption(options.agent),
    verified: options.verified === true ? "true" : undefined,
    from: timeOption(input, "since"),
    to: timeOption(input, "until"),
  };
  return atServer(input, (at) =>
    list(input, at, {
      query,
      limit: numberOption(input, "limit", LIST_MAX) ?? LIST_DEFAULT,
      empty: "Nothing matches.",
      isNumbered: false,
      hint: "Step by step: darkmatter replay COMMIT",
    }),
  );
};

const DATE_LENGTH = "2026-11-21".length;
const TIME = /^\d{4}-\d\d-\d\d(T\S+)?$/;

/** The server says more exactly what it takes, under names of its own. @throws USAGE */
function timeOption({ options }: CommandInput, name: "since" | "until"): string | undefined {
  const said = textOption(options[name]);
  if (said === undefined || (TIME.test(said) && !Number.isNaN(Date.parse(said)))) return said;
  throw nodeError("USAGE", `--${name} takes a date or a time: 2026-11-21, or 2026-11-21T09:30:00Z.`);
}

interface Listing {
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly limit: number;
  readonly empty: string;
  /** Other commands take its numbers. */
  readonly isNumbered: boolean;
  readonly hint: string;
}

async function list(
  input: CommandInput,
  { client }: AtServer,
  { query, limit, empty, isNumbered, hint }: Listing,
): Promise<ExitCode> {
  const found: Passport[] = [];
  let total: number | undefined;
  let cursor: string | undefined;
  do {
    const page = await client.search({ ...query, limit: Math.min(PAGE_MAX, limit - found.length), cursor });
    found.push(...page.results);
    total ??= page.total ?? undefined;
    cursor = page.results.length === 0 ? undefined : (page.nextCursor ?? undefined);
  } while (cursor !== undefined && found.length < limit);
  const more = total !== undefined && total > found.length ? [`${found.length} of ${total} are shown.`] : [];
  const lines = passportLines(found, { isNumbered });
  const human = found.length === 0 ? empty : [...lines, ...more, "", hint].join("\n");
  const commits = found.map((passport, at) => ({
    ...(isNumbered && { index: at + 1 }),
    commit: passport.id,
    at: passport.created_at,
    trace: passport.trace_id ?? null,
    event: passport.event.label ?? passport.event.type,
    model: passport.created_by.model ?? null,
    valid: isSoundPassport(passport),
    passport: passport as JsonObject,
  }));
  input.out.result(human, { server: client.host, total: total ?? null, commits });
  return found.every(isSoundPassport) ? EXIT_OK : EXIT_FAILURE;
}

export const pull = (input: CommandInput): Promise<ExitCode> =>
  atServer(input, async ({ client }) => {
    const limit = numberOption(input, "limit", LIST_MAX) ?? LIST_DEFAULT;
    const said = timeOption(input, "since");
    const since = said?.length === DATE_LENGTH ? `${said}T00:00:00Z` : said;
    const contexts: Passport[] = [];
    let page = await client.pull({ since, limit: Math.min(PULL_MAX, limit) });
    contexts.push(...page.contexts);
    // A page is cut short where its payloads are large.
    while (page.nextCursor && page.contexts.length > 0 && contexts.length < limit) {
      const left = Math.min(PULL_MAX, limit - contexts.length);
      page = await client.pull({ since, limit: left, cursor: page.nextCursor });
      contexts.push(...page.contexts);
    }
    const lines = passportLines(contexts);
    const more = page.nextCursor ? [`There are older ones: --limit ${LIST_MAX}`] : [];
    const human =
      contexts.length === 0 ? "Nothing was committed to this agent yet." : [...lines, ...more].join("\n");
    input.out.result(human, { ...page, contexts, count: contexts.length } as JsonObject);
    return contexts.every(isSoundPassport) ? EXIT_OK : EXIT_FAILURE;
  });
