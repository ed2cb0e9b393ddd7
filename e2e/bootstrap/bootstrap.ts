import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { type Checks, until, within } from "../checks.ts";
import { createWorld, freePorts, type NodeProcess, type World } from "../world.ts";

const INSTALL_MS = 60_000;
const ANSWER_MS = 5000;
/** All that the script uses of a system, but for Node and npm. */
const TOOLS = ["sh", "uname", "mkdir", "chmod", "mv", "sed", "cat", "sleep"];

/** A node installs another from itself, into an empty home; and what may come in its way. */
export async function runBootstrap({ check }: Checks): Promise<void> {
  await using world = createWorld();
  const [port = 0, low = 0, offPort = 0] = await freePorts(3);
  const ana = world.home("ana", port);
  const node = await world.up(ana);
  const script = await fetchScript(node.url);
  const settings = { DARKMATTER_DISCOVERY_PORTS: `${low}-${low + 20}`, DARKMATTER_DISCOVERY: "false" };
  const home = join(world.folder, `it's "bo" $(touch pwned)`);
  mkdirSync(home);

  await check(
    "bootstrap: a node installs the program into an empty home, and both talk",
    async () => {
      const { code, out, err } = await install(world, script, { ...settings, HOME: home });
      if (code !== 0) throw new Error(err);
      const program = join(home, ".darkmatter", "bin", "darkmatter");
      equal(sha256(readFileSync(`${program}.mjs`)), announced(script), "hash");
      equal(statSync(`${program}.mjs`).mode & 0o077, 0, "mode");
      const [stdio, http] = configurations(out);
      equal(stdio.args, [`${program}.mjs`, "mcp"], "args");
      equal(http.url, `http://127.0.0.1:${stdio.env.DARKMATTER_PORT}/mcp`, "url");
      const typed = /^ {2}(\S.*) doctor {2,}/m.exec(out)?.[1] ?? "";
      const asTyped = spawn("/bin/sh", ["-c", `${typed} --version`], { env: { PATH: systemPath() } });
      asTyped.on("exit", world.adopt(asTyped.pid as number));
      if ((await finished(asTyped)).code !== 0) throw new Error(`cannot be typed: ${typed}`);
      if (out.includes("pwned") !== true || existsSync(join(home, "pwned")))
        throw new Error("a name was run");
      await talk(world, node, home, program, { ...settings, ...stdio.env });
    },
    INSTALL_MS,
  );

  await check(
    "bootstrap: what was installed installs the same again",
    async () => {
      const program = join(home, ".darkmatter", "bin", "darkmatter");
      const [next = 0] = await freePorts(1);
      const bo = await up(world, home, program, { ...settings, DARKMATTER_PORT: String(next) });
      equal(announced(await fetchScript(bo.url)), announced(script), "hash");
      bo.child.kill("SIGTERM");
    },
    INSTALL_MS,
  );

  await check("bootstrap: no host of a request becomes a command", async () => {
    const hosts = [
      "a;id",
      "$(id)",
      "`id`",
      "a'b",
      'a"b',
      "a b",
      "a\\b",
      "a/b",
      "ünï.example",
      "a".repeat(300),
      "",
    ];
    for (const host of hosts) {
      const answer = await raw(port, `GET /bootstrap HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      if (!/^HTTP\/1\.1 400 /.test(answer))
        throw new Error(`${JSON.stringify(host)}: ${answer.slice(0, 80)}`);
    }
    const split =
      "GET /bootstrap HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Proto: http'\r\n ;id\r\nConnection: close\r\n\r\n";
    const answer = await raw(port, split);
    if (!/^HTTP\/1\.1 400 /.test(answer)) throw new Error(answer.slice(0, 80));
  });

  await check("bootstrap: a program that was changed on its way is not installed", async () => {
    const tampered = await tampering(node.url);
    const empty = join(world.folder, "tampered");
    mkdirSync(empty);
    const base = `http://127.0.0.1:${tampered.port}`;
    const { code, err } = await install(world, script.replace(/^base='.*'$/m, `base='${base}'`), {
      HOME: empty,
    });
    tampered.close();
    if (code !== 1 || !/is not what was announced/.test(err)) throw new Error(`${code} ${err}`);
    if (existsSync(join(empty, ".darkmatter", "bin", "darkmatter.mjs"))) throw new Error("it was installed");
  });

  await check(
    "bootstrap: with an old Node npm brings a newer one, and without npm it is said what to install",
    async () => {
      const empty = join(world.folder, "old");
      const bin = await tools(join(world.folder, "bin"));
      mkdirSync(empty);
      executable(join(bin, "node"), "#!/bin/sh\necho false\n");
      const bare = await install(world, script, { ...settings, HOME: empty, PATH: bin });
      if (bare.code !== 1 || !/Node 24 or newer is needed/.test(bare.err)) throw new Error(bare.err);
      const brings = `#!/bin/sh
for word; do last=$word; done
d="$3/node_modules/\${last%@*}/bin"
mkdir -p "$d" && printf '#!/bin/sh\\nexec "%s" "$@"\\n' '${process.execPath}' >"$d/node" && chmod 700 "$d/node"
`;
      executable(join(bin, "npm"), brings);
      const brought = await install(world, script, { ...settings, HOME: empty, PATH: bin });
      if (brought.code !== 0) throw new Error(brought.err);
      const { command } = configurations(brought.out)[0];
      if (!command.includes("/.darkmatter/runtime/node_modules/node-")) throw new Error(command);
    },
    INSTALL_MS,
  );

  await check("bootstrap: switched off there is nothing", async () => {
    const off = await world.up(world.home("off", offPort, { DARKMATTER_BOOTSTRAP: "false" }));
    for (const path of ["/bootstrap", "/bootstrap/server.mjs", "/bootstrap/server.py"])
      equal((await fetch(off.url + path)).status, 404, path);
    equal(
      (await fetch(`${node.url}/bootstrap/server.py`)).headers.get("etag"),
      `"${announced(script)}"`,
      "etag",
    );
  });
}

/** The installed program as a node; a connection to the one it came from, a message, and its answer. */
async function talk(
  world: World,
  ana: NodeProcess,
  home: string,
  program: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const bo = await up(world, home, program, env);
  const run = async (...argv: string[]) => {
    const { code, out, err } = await finished(start(world, home, program, [...argv, "--json"], env));
    if (code !== 0) throw new Error(`${argv.join(" ")}: ${out}${err}`);
    return JSON.parse(out);
  };
  await run("connect", ana.url);
  await until("they are connected", async () => JSON.stringify(await run("peers")).includes(ana.agentId));
  await run("send", ana.agentId, "hello from the other side");
  const inbox = await until("it arrives", async () => {
    const { json } = await world.command(ana.home, "inbox");
    return json.messages?.length > 0 ? json : undefined;
  });
  equal(inbox.messages[0].content, "hello from the other side", "message");
  await world.command(ana.home, "reply", inbox.messages[0].message_id, "welcome");
  await until("the answer is there", async () =>
    JSON.stringify(await run("sent", inbox.messages[0].message_id)).includes("welcome"),
  );
  bo.child.kill("SIGTERM");
  await within(ANSWER_MS, new Promise<void>((done) => bo.child.once("exit", () => done())));
}

async function up(world: World, home: string, program: string, env: Readonly<Record<string, string>>) {
  const child = start(world, home, program, ["up", "--json"], env);
  let text = "";
  child.stdout?.on("data", (chunk) => (text += chunk));
  const line = await until(
    "the installed node runs",
    () => text.split("\n").find((one) => one.endsWith("}")),
    15_000,
  );
  return { child, url: JSON.parse(line).url as string };
}

function start(
  world: World,
  home: string,
  program: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): ChildProcess {
  const child = spawn(program, argv, {
    cwd: home,
    stdio: ["pipe", "pipe", "pipe", "pipe"],
    env: { PATH: systemPath(), HOME: home, TMPDIR: world.folder, DARKMATTER_LIFELINE: "3", ...env },
  });
  child.on("exit", world.adopt(child.pid as number));
  return child;
}

/** The script as `curl … | sh` runs it. */
function install(world: World, script: string, env: Readonly<Record<string, string>>) {
  const child = spawn("/bin/sh", [], {
    cwd: env.HOME,
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: systemPath(), TMPDIR: world.folder, ...env },
  });
  child.on("exit", world.adopt(child.pid as number));
  child.stdin.end(script);
  return finished(child);
}

async function finished(child: ChildProcess) {
  const [out, err] = [textOf(child.stdout), textOf(child.stderr)];
  child.stdin?.end();
  const code = await within(INSTALL_MS, new Promise<number | null>((done) => child.on("close", done)));
  return { code, out: await out, err: await err };
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = "";
  for await (const chunk of stream ?? []) text += chunk;
  return text;
}

/** A Node that is new enough comes first. */
const systemPath = () => [dirname(process.execPath), process.env.PATH].join(delimiter);

async function fetchScript(url: string): Promise<string> {
  const answer = await fetch(`${url}/bootstrap`, { signal: AbortSignal.timeout(INSTALL_MS) });
  equal(answer.status, 200, "status");
  return answer.text();
}

const announced = (script: string) => /^sha256='([0-9a-f]{64})'$/m.exec(script)?.[1] ?? "";
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

// biome-ignore lint/suspicious/noExplicitAny: looked into by checks
function configurations(out: string): any[] {
  return [...out.matchAll(/^\{[\s\S]*?^\}$/gm)].map(([text]) => JSON.parse(text).mcpServers.darkmatter);
}

function raw(port: number, request: string): Promise<string> {
  const answer = new Promise<string>((done, failed) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(request));
    let text = "";
    socket.on("data", (chunk) => (text += chunk));
    socket.on("error", failed);
    socket.on("close", () => done(text));
  });
  return within(ANSWER_MS, answer);
}

/** A program on the way that adds a byte to what is downloaded. */
async function tampering(url: string) {
  const server = createServer(async (request, response) => {
    const answer = await fetch(url + request.url);
    response.end(Buffer.concat([Buffer.from(await answer.arrayBuffer()), Buffer.from(" ")]));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  return { port: typeof address === "object" ? (address?.port ?? 0) : 0, close: () => server.close() };
}

/** A folder with the system's tools that the script uses, and nothing else. */
async function tools(folder: string): Promise<string> {
  mkdirSync(folder);
  for (const name of TOOLS) {
    const place = ["/bin", "/usr/bin"].map((at) => join(at, name)).find(existsSync);
    if (place) symlinkSync(place, join(folder, name));
  }
  return folder;
}

function executable(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o700);
}

function equal(found: unknown, wanted: unknown, what: string): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted))
    throw new Error(`${what}: ${JSON.stringify(found)} and not ${JSON.stringify(wanted)}`);
}
