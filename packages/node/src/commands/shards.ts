import type { JsonObject } from "@darkmatter/core";
import { type Command, EXIT_OK } from "@darkmatter/surface";
import type { MainOptions } from "../main-options.ts";
import { brief, plain, rows, shortId, visiting } from "./context.ts";

/** What the agent shares, and what it has of its peers. */
export function shardCommands(main: MainOptions): Command[] {
  return [
    {
      name: "shards",
      summary: "notes this agent shares with peers, and those it has of them",
      arguments: [],
      options: [{ flags: "--tag <tag>", summary: "those about this, such as pool or pool:llm" }],
      async run(input) {
        const { tag } = input.options;
        const wanted: JsonObject = typeof tag === "string" ? { tags: [tag] } : {};
        const result = await visiting(input, main, "read", ({ call }) =>
          call("darkmatter_view_shards", wanted),
        );
        const lines = rows(result, "shards").map(line);
        input.out.result(lines.length > 0 ? lines.join("\n") : "No shards.", result);
        return EXIT_OK;
      },
    },
    {
      name: "shards withdraw",
      summary: "share a note no longer: peers drop their copies within a day",
      arguments: [{ name: "shard", required: true, summary: "its id, such as shard-0123456789ab" }],
      options: [],
      async run(input) {
        const result = await visiting(input, main, "act", ({ call }) =>
          call("darkmatter_owner_withdraw_shard", { shard_id: input.args.shard ?? "" }),
        );
        input.out.result("Withdrawn: peers drop their copies within a day.", result);
        return EXIT_OK;
      },
    },
  ];
}

function line(shard: JsonObject): string {
  const author = shard.cached === true ? shortId(shard.author) : "you".padEnd(12);
  const tags = Array.isArray(shard.tags) ? shard.tags.map(plain).join(",") : "";
  return `${plain(shard.shard_id)}  ${author}  [${brief(tags, 40)}]  ${brief(plain(shard.summary ?? shard.content), 60)}`;
}
