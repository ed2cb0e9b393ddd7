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
