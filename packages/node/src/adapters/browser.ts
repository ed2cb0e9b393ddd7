import { spawn } from "node:child_process";

/** The program that opens an http(s) URL in the user's browser; none of them sees a shell. */
const OPENERS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

/** Shows a page to whoever sits at a terminal; nothing where nobody does, or where there is no browser. */
export function openBrowser(url: string): void {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return;
  const [program, ...args] = OPENERS[process.platform] ?? ["xdg-open"];
  const child = spawn(program, [...args, url], { stdio: "ignore", detached: true });
  // The URL was printed: whoever has no browser here opens it elsewhere.
  child.on("error", () => undefined);
  child.unref();
}
