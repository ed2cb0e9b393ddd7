import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { rolldown } from "rolldown";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** The browser that the system has, found on the path. */
export function chromiumPath(): string | undefined {
  const folders = (process.env.PATH ?? "").split(":").filter(Boolean);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) =>
    existsSync(path),
  );
}

/** A module and all it imports as one script for browsers. Throws when anything of Node would stay in it. */
export async function bundledForBrowser(entry: string): Promise<string> {
  const warnings: string[] = [];
  await using build = await rolldown({
    input: entry,
    platform: "browser",
    resolve: { conditionNames: ["browser", "import", "default"] },
    onLog: (level, log) => void (level === "warn" && warnings.push(log.message)),
  });
  const { output } = await build.generate({ format: "esm" });
  const [chunk, ...others] = output;
  const imports = [...chunk.imports, ...chunk.dynamicImports];
  if (others.length > 0 || imports.length > 0 || warnings.length > 0) {
    throw new Error(`not one script: ${[...imports, ...warnings].join("; ")}`);
  }
  return chunk.code;
}

const QUIET = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--no-first-run",
];
const START_TIMEOUT_MS = 30_000;

export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** What the page asked for beyond itself. Nothing of it left. */
  readonly asked: readonly string[];
}

/** A page of an origin that browsers trust as they do HTTPS, served from here: no request leaves the process. */
export async function openPage(executablePath: string): Promise<OpenPage> {
  const browser: Browser = await chromium.launch({ executablePath, args: QUIET, timeout: START_TIMEOUT_MS });
  const asked: string[] = [];
  const page = await browser.newPage();
  await page.route("**/*", (route) => {
    const url = route.request().url();
    if (url === "http://localhost/")
      return route.fulfill({ contentType: "text/html", body: "<!doctype html>" });
    asked.push(url);
    return route.abort();
  });
  await page.goto("http://localhost/");
  return { page, asked, [Symbol.asyncDispose]: () => browser.close() };
}
