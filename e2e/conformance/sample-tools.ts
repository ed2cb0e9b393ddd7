import { systemClock } from "@darkmatter/core";
import { type Tool, type ToolContent, type ToolTable, tool } from "@darkmatter/surface";
import { z } from "zod";

/** One red pixel. */
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/** A WAV header with no sample after it. */
const WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

const image: ToolContent = { type: "image", data: PNG, mimeType: "image/png" };
const audio: ToolContent = { type: "audio", data: WAV, mimeType: "audio/wav" };

function resource(uri: string, mimeType: string, text: string): ToolContent {
  return { type: "resource", resource: { uri, mimeType, text } };
}

function sample(name: string, description: string, handle: Tool["handle"]): Tool {
  return tool({
    name,
    title: name,
    description,
    input: z.object({}),
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    visible: () => true,
    handle,
  });
}

/** The tools and resources the conformance suite asks of a server, as tools of ours. */
export const sampleTable: ToolTable = {
  instructions: "Sample tools for the conformance suite.",
  tools: [
    sample("test_simple_text", "Answers with a text.", async () => ({
      text: "This is a simple text response for testing.",
    })),
    sample("test_image_content", "Answers with an image.", async () => ({ content: [image] })),
    sample("test_audio_content", "Answers with a sound.", async () => ({ content: [audio] })),
    sample("test_embedded_resource", "Answers with a resource.", async () => ({
      content: [resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")],
    })),
    sample("test_multiple_content_types", "Answers with three kinds of content.", async () => ({
      content: [
        { type: "text", text: "Multiple content types test:" },
        image,
        resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
      ],
    })),
    sample("test_error_handling", "Always fails.", async () => ({
      success: false,
      error: "This tool intentionally returns an error for testing",
    })),
    sample("test_tool_with_progress", "Tells how far it has come.", async (_input, call) => {
      for (const percent of [0, 50, 100]) {
        await call.progress(percent, 100, `${percent} of 100`);
        await systemClock.sleep(50);
      }
      return { text: "Done" };
    }),
  ],
  decorate: async (_session, result) => result,
  onChange: () => ({ [Symbol.dispose]: () => undefined }),
  resources: [
    {
      uri: "test://static-text",
      name: "static-text",
      description: "A text that never changes",
      mimeType: "text/plain",
      read: async () => "This is the content of the static text resource.",
    },
  ],
};
