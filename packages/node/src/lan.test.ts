import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { type TestHome, testHome } from "./testing/program.ts";

const REAL_MAIN = new URL("./testing/real-main.ts", import.meta.url).pathname;
const UNSHARED = ["--user", "--map-root-user", "--net"];
/** A network of the test's own, with one machine that is this one. */
const NETWORK = `
  ip link set lo up
  ip link add one type veth peer name other
  ip addr add 10.77.68.1/24 dev one
  ip link set one up
  ip link set other up
  until ip link show dev one | grep -q "state UP"; do sleep 0.02; done
`;

const missing = await new Promise<string | undefined>((resolve) => {
  execFile("unshare", [...UNSHARED, "sh", "-ec", NETWORK], (error) =>
    resolve(error ? "no network namespaces are permitted here" : undefined),
  );
});

/** The program in that network, and the first line it prints. */
function up(home: TestHome, options: string, settings: Record<string, string> = {}) {
  const script = `${NETWORK}\nexec "$0" "$@" ${options}`;
  const child = spawn("unshare", [...UNSHARED, "sh", "-ec", script, process.execPath, REAL_MAIN, "up"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env.PATH,
      TMPDIR: home.temporary,
      DARKMATTER_HOME: home.home,
      DARKMATTER_PASSPORT: home.passport,
      DARKMATTER_PORT: "0",
      DARKMATTER_PORT_MAPPING: "false",
      ...settings,
    },
  });
  const lines = createInterface({ input: child.stdout });
  return {
    lines,
    first: async () => JSON.parse((await once(lines, "line"))[0] as string),
    inside: (...words: string[]) =>
      String(execFileSync("nsenter", ["--target", `${child.pid}`, "--user", "--net", ...words])),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

test("up --lan listens to the network, and says where it is reached", { timeout: 30_000 }, async ({
  skip,
}) => {
  if (missing) skip(missing);
  using home = testHome();
  await using node = up(home, "--lan --json");
  const said = await node.first();
  const { port } = new URL(said.url);
  expect(said).toMatchObject({
    url: `http://127.0.0.1:${port}`,
    lan_urls: [`http://10.77.68.1:${port}`],
    mcp: {
      stdio: { mcpServers: { darkmatter: { env: { DARKMATTER_HOST: "0.0.0.0" } } } },
      http: { mcpServers: { darkmatter: { url: `http://127.0.0.1:${port}/mcp` } } },
    },
  });
  expect(node.inside("ip", "maddr", "show", "dev", "one")).toContain("239.77.68.77");
});

test("up alone listens to nothing but this machine", { timeout: 30_000 }, async ({ skip }) => {
  if (missing) skip(missing);
  using home = testHome();
  await using node = up(home, "--json");
  const said = await node.first();
  expect(said).toMatchObject({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:/), lan_urls: [] });
  expect(node.inside("ip", "maddr", "show", "dev", "one")).not.toContain("239.77.68.77");
});

test("up --lan keeps to the address that was chosen, and tells a person what others see", {
  timeout: 30_000,
}, async ({ skip }) => {
  if (missing) skip(missing);
  using home = testHome();
  await using node = up(home, "--lan", { DARKMATTER_HOST: "10.77.68.1" });
  const printed: string[] = [];
  for await (const line of node.lines) {
    printed.push(line);
    if (line.startsWith("Ctrl-C")) break;
  }
  const text = printed.join("\n");
  expect(text).toMatch(/network {2}http:\/\/10\.77\.68\.1:\d+\n/);
  expect(text).toContain("agents on this network see this node");
  expect(text).toMatch(/darkmatter connect http:\/\/10\.77\.68\.1:\d+\n/);
});
