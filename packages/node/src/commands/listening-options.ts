import { nodeError } from "../errors.ts";

export const portOption = (port: string) => ({
  flags: "--port <number>",
  summary: "where to listen (0: any free port)",
  default: port,
});

export const hostOption = {
  flags: "--host <address>",
  summary: "the address to listen on (0.0.0.0: every one)",
  default: "127.0.0.1",
};

/** @throws USAGE */
export function portOf(value: string | boolean | undefined): number {
  const port = Number(value);
  if (!/^\d{1,5}$/.test(String(value)) || port > 65_535)
    throw nodeError("USAGE", "--port must be 0 to 65535.");
  return port;
}

/** An http(s) URL without a slash at its end. @throws USAGE */
export function webUrlOf(value: string | undefined, option: string): string | undefined {
  if (value === undefined) return undefined;
  const { protocol = "", username, password, search, hash } = URL.parse(value) ?? {};
  if (!/^https?:$/.test(protocol) || username || password || search || hash)
    throw nodeError("USAGE", `${option} must be an http(s) URL such as https://ledger.example.org`);
  return value.replace(/\/+$/, "");
}

/** Whether only this machine reaches a server at a URL. */
export function isLocalHost(url: string): boolean {
  return /^http:\/\/(localhost|127\.|\[::1\])/.test(url);
}
