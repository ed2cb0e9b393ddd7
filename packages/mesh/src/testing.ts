export {
  bodyOf,
  type MemoryNetwork,
  memoryNetwork,
  TEST_CONFIG,
  type TestNode,
  type TestNodeOptions,
  testNode,
} from "./testing/memory-network.ts";
