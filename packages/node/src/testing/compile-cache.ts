import module from "node:module";

/** As bin/darkmatter.js does: a test that starts the program many times does not compile it as often. */
export function enableCompileCache(): void {
  module.enableCompileCache(`${import.meta.dirname}/../../../../node_modules/.cache/darkmatter`);
}
