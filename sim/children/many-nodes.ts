// Starts so many whole nodes as its parent says, and tells how long it took and how much memory they need.
import { manyNodes } from "../figures.ts";

process.once("message", (nodes: number) => {
  void manyNodes(nodes).then(
    (measured) => process.send?.(measured),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.once("disconnect", () => process.exit());
