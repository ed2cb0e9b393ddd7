import { plain } from "../plain.ts";
import { type ClientErrorCode, clientError } from "./errors.ts";
import { maskedKey, type ServerSettings } from "./settings.ts";

/** A call, and what a status means for it alone. */
interface Refused {
  readonly path: string;
  readonly refusals?: Readonly<Record<number, ClientErrorCode>>;
}

/** An answer that is no success. */
interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What a server's refusals mean, in sentences for a terminal. */
export function createRefusals({ host, apiKey }: Pick<ServerSettings, "host" | "apiKey">) {
  const keyText = () => (apiKey === undefined ? "" : ` The key was ${maskedKey(apiKey)}.`);

  /** A server's own words, for a terminal: without control characters, and without the key should it repeat it. */
  function saidBy(body: Uint8Array, otherwise: string): string {
    const answer = asObject(new TextDecoder().decode(body));
    const words = typeof answer?.error === "string" ? plain(answer.error).slice(0, 500) : "";
    if (words === "") return otherwise;
    const hint = typeof answer?.hint === "string" ? ` ${plain(answer.hint).slice(0, 500)}` : "";
    const said = words + hint;
    return apiKey === undefined ? said : said.replaceAll(apiKey, maskedKey(apiKey));
  }

  function refusalOf({ path, refusals }: Refused, { status, headers, body }: Refusal) {
    if (status >= 300 && status < 400) {
      const where = plain(headers.location ?? "");
      return clientError(
        "SERVER_STRANGE",
        `${host} sends callers elsewhere${where === "" ? "" : ` (${where})`}; that is not followed, so that the API key goes nowhere else.`,
      );
    }
    const said = saidBy(body, `${host} answers ${status} to ${path.split("/").slice(0, 3).join("/")}.`);
    const meant = refusals?.[status];
    if (meant !== undefined) return clientError(meant, `${host}: ${said}`);
    if (status === 401) return clientError("KEY_REFUSED", `${host}: ${said}${keyText()}`);
    if (status === 404) return clientError("NOT_ON_SERVER", `${host}: ${said}`);
    return clientError(status >= 500 ? "SERVER_FAILED" : "SERVER_REFUSED", `${host}: ${said}`);
  }

  return { saidBy, refusalOf };
}

function asObject(text: string): { readonly error?: unknown; readonly hint?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    // An answer of something that is no ledger server: its status has to do.
    return undefined;
  }
}
