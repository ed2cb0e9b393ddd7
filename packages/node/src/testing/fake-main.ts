/** The program with a stand-in for the mesh: `node fake-main.ts mcp`. Imports as lazily as the real one. */
import { enableCompileCache } from "./compile-cache.ts";

enableCompileCache();
const { main } = await import("../main.ts");
await main(process.argv.slice(2), {
  assembly: async () => (await import("./fake-assembly.ts")).fakeAssembly,
  version: process.env.FAKE_VERSION,
});
