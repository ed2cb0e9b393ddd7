// The program as an earlier version of itself.
import { main } from "@darkmatter/node";

await main(process.argv.slice(2), { version: "0.0.1" });
