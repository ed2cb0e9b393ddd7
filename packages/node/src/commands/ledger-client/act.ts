import type { JsonObject } from "@darkmatter/core";
import { type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { brief, numberOption, textOption } from "../context.ts";
import { atServer } from "./at-server.ts";
import { namedCommit } from "./naming.ts";
import { agreeToPublish, pageUrl, publish } from "./open.ts";

const DAYS_MAX = 36_500;

export const fork = (input: CommandInput): Promise<ExitCode> =>
  atServer(input, async (at) => {
    const { client } = at;
    const { options } = input;
    const commit = await namedCommit(client, input.args.commit ?? "");
    const source = commit.id;
    const isOpened = options.open === true;
    if (isOpened) await agreeToPublish(input, at, { commit, what: `the fork of ${source}` });
    const answer = await client.fork(source, {
      fromStep: numberOption(input, "from", Number.MAX_SAFE_INTEGER),
      suggestedModel: textOption(options.model),
      branchKey: textOption(options.branch),
    });
    const model = textOption(options.model);
    const ids = [answer.fork_point, answer.fork_of, answer.id].map((id) => brief(id, 40));
    const [point, source_, made] = ids;
    const branch = `${brief(answer.branch_key, 200)}${model === undefined ? "" : `, ${brief(model, 60)}`}`;
    const lines = [
      `${made}, forked at ${point}, branch ${branch}`,
      `  ${point}`,
      ...(source_ === point ? [] : [`   ├─ ${source_}  as it was`]),
      `   └─ ${made}  ${branch}  ← new`,
      ...(answer.warning ? [brief(answer.warning, 400)] : []),
      `The chain it comes from is untouched. What differs: darkmatter diff ${made} --fork`,
    ];
    const url = isOpened ? await publish(input, at, answer.id) : undefined;
    input.out.result([...lines, ...(url ? [url] : [])].join("\n"), {
      ...(answer as JsonObject),
      ...(url && { url }),
    });
    return EXIT_OK;
  });

export const share = (input: CommandInput): Promise<ExitCode> =>
  atServer(input, async (at) => {
    const { client } = at;
    const wishes = {
      label: textOption(input.options.label),
      expiresInDays: numberOption(input, "expires", DAYS_MAX),
    };
    const commit = await namedCommit(client, input.args.commit ?? "");
    const warning = await agreeToPublish(input, at, { commit, isMeant: commit.byNumber === undefined });
    const answer = await client.share(commit.id, wishes);
    const lines = [
      pageUrl(answer.shareUrl),
      `Whoever has this link sees the chain up to ${brief(answer.ctxId, 40)}${answer.expiresAt ? `, until ${brief(answer.expiresAt, 30)}` : ""}.`,
      `Take it back: darkmatter shares revoke ${brief(answer.shareId, 40)}`,
      ...(warning === undefined ? [] : [warning]),
    ];
    input.out.result(lines.join("\n"), { ...(answer as JsonObject), ...(warning && { warning }) });
    return warning === undefined ? EXIT_OK : EXIT_FAILURE;
  });

export const listShares = (input: CommandInput): Promise<ExitCode> =>
  atServer(input, async ({ client }) => {
    const answer = await client.shares();
    const lines = answer.shares.map(({ shareId, ctxId, label, expiresAt }) =>
      `${brief(shareId, 40)}  ${brief(ctxId ?? "", 40)}  ${expiresAt ? `until ${brief(expiresAt, 30)}` : "for good"}  ${brief(label ?? "", 80)}`.trimEnd(),
    );
    input.out.result(lines.length === 0 ? "Nothing is shared." : lines.join("\n"), answer as JsonObject);
    return EXIT_OK;
  });

export const revokeShare = (input: CommandInput): Promise<ExitCode> =>
  atServer(input, async ({ client }) => {
    const shareId = input.args.share ?? "";
    await client.revokeShare(shareId);
    input.out.result(`${shareId} is taken back: its link leads nowhere any more.`, {
      shareId,
      revoked: true,
    });
    return EXIT_OK;
  });

/** The page of a share, or of a commit that is shared for it. */
export const open = (input: CommandInput): Promise<ExitCode> =>
  atServer(input, async (at) => {
    const named = input.args.what ?? "1";
    const { openBrowser } = await import("../../adapters/browser.ts");
    let url: string;
    let warning: string | undefined;
    if (/^share_[0-9a-f]{16}$/.test(named)) {
      url = `${at.client.host}/chain/${named}`;
      if (!input.json) openBrowser(url);
    } else {
      const commit = await namedCommit(at.client, named);
      warning = await agreeToPublish(input, at, { commit });
      url = await publish(input, at, commit.id);
    }
    input.out.result(warning === undefined ? url : `${url}\n${warning}`, {
      url,
      ...(warning && { warning }),
    });
    return warning === undefined ? EXIT_OK : EXIT_FAILURE;
  });
