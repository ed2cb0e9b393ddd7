import type { Launch } from "../setup/client.ts";

/** A service of the user's own that runs a node, as its manager reads it. */
export interface Unit {
  /** Its name, and that of its file. */
  readonly name: string;
  readonly text: string;
}

/** Before a node that failed is started again. */
const RESTART_S = 5;

/** A unit of the user's systemd: runs at log-in, starts again when it fails. */
export function systemdUnit(agentId: string, launch: Launch): Unit {
  const { command, args, env } = launch;
  const words = ["/bin/sh", "-c", 'exec "$0" "$@"', command, ...args].map(systemdWord).join(" ");
  const settings = Object.entries(env).map(
    ([name, value]) => `Environment=${systemdQuoted(`${name}=${value}`)}`,
  );
  return {
    name: `darkmatter-${agentId.slice(0, 12)}.service`,
    text: [
      "[Unit]",
      `Description=DarkMatter node of agent ${agentId}`,
      "",
      "[Service]",
      `ExecStart=${words}`,
      ...settings,
      "Restart=on-failure",
      `RestartSec=${RESTART_S}`,
      "",
      "[Install]",
      "WantedBy=default.target",
      "",
    ].join("\n"),
  };
}

/** A word of a command line, where systemd would also replace variables. A program's own name may hold no quotes. */
const systemdWord = (word: string) => systemdQuoted(word).replaceAll("$", "$$$$");

/** A word as systemd.syntax(7) reads it: in double quotes, C escapes, `%%` for a percent sign. */
function systemdQuoted(word: string): string {
  const escaped = word
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll("\t", "\\t")
    .replaceAll("%", "%%");
  return `"${escaped}"`;
}

/** An agent of the user's launchd: the same on macOS. */
export function launchdAgent(agentId: string, { command, args, env }: Launch, log: string): Unit {
  const label = `darkmatter.${agentId.slice(0, 12)}`;
  const strings = (values: readonly string[]) => values.map((value) => `    <string>${xml(value)}</string>`);
  return {
    name: label,
    text: [
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
      '<plist version="1.0">',
      "<dict>",
      "  <key>Label</key>",
      `  <string>${xml(label)}</string>`,
      "  <key>ProgramArguments</key>",
      "  <array>",
      ...strings([command, ...args]),
      "  </array>",
      "  <key>EnvironmentVariables</key>",
      "  <dict>",
      ...Object.entries(env).flatMap(([name, value]) => [
        `    <key>${xml(name)}</key>`,
        `    <string>${xml(value)}</string>`,
      ]),
      "  </dict>",
      "  <key>RunAtLoad</key>",
      "  <true/>",
      "  <key>KeepAlive</key>",
      "  <dict>",
      "    <key>SuccessfulExit</key>",
      "    <false/>",
      "  </dict>",
      "  <key>StandardErrorPath</key>",
      `  <string>${xml(log)}</string>`,
      "</dict>",
      "</plist>",
      "",
    ].join("\n"),
  };
}

function xml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
