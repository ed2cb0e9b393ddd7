export { callHandler, type HandlerAnswer, type HandlerCall, inbound } from "./testing/call-handler.ts";
export {
  connectMcpDuplex,
  connectMcpHttp,
  ERAS,
  type Era,
  type McpCallOptions,
  type McpStreamServed,
  type McpTestClient,
  type McpTestResult,
  serveMcpTo,
} from "./testing/mcp-client.ts";
export { type HarnessCall, type ToolHarness, toolHarness } from "./testing/tool-harness.ts";
