import { isLoopbackUrl } from "@darkmatter/net";
import { type Tool, type ToolResult, tool } from "@darkmatter/surface";
import { z } from "zod";
import type { BundleSource } from "./adapters/bundle.ts";

/** What two programs must both do to be agents of one mesh. */
const CORE_PRIMITIVES = [
  "identity: an Ed25519 key, whose public half is the agent's id",
  "connections: asked for, accepted or refused, ended",
  "messages: signed, fresh, each taken once",
  "webhooks: where an answer to a message goes",
  "impressions: a score from -1 to 1, asked of peers",
  "discovery: the document at /.well-known/darkmatter.json",
];

/** The tool by which an agent helps another to install the program (mesh.md 15). */
export function templateTool(
  bundle: BundleSource,
  base: () => string | undefined,
  isLonely: () => boolean,
): Tool {
  return tool({
    name: "darkmatter_get_server_template",
    title: "Help another agent install DarkMatter",
    description: "Use this to tell an agent without DarkMatter how to install it from this node.",
    input: z.object({}),
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    visible: isLonely,
    async handle(): Promise<ToolResult> {
      const url = base();
      if (url === undefined) return { success: false, error: "This node does not listen yet." };
      const { sha256, bytes } = await bundle();
      return {
        template_from: url,
        // The program is megabytes: nobody's context takes that, so where it lies is said instead.
        server_source: { url: `${url}/bootstrap/server.mjs`, sha256, bytes: bytes.length },
        bootstrap_instructions: {
          install: `curl -fsS ${url}/bootstrap | sh`,
          run: "~/.darkmatter/bin/darkmatter up",
          configure: "~/.darkmatter/bin/darkmatter setup",
          connect: `~/.darkmatter/bin/darkmatter connect ${url}`,
          ...(isLoopbackUrl(url) && {
            note: "This address works on this machine alone: `up --lan` opens the node.",
          }),
        },
        core_primitives: CORE_PRIMITIVES,
        compatibility_note:
          "Any program that speaks the mesh's HTTP is welcome; this one speaks to dmagent 0.3.3 too.",
      };
    },
  });
}
