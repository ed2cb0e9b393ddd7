import assert from "node:assert/strict";
import { utf8 } from "@darkmatter/core";
import type { SuiteCase } from "@darkmatter/core/testing";
import type {
  Handler,
  HandlerResponse,
  InboundRequest,
  OutboundAnswer,
  OutboundRequest,
  Wire,
} from "../wire.ts";

/** A network of one machine, on which a wire is tried. */
export interface WireUnderTest extends AsyncDisposable {
  readonly wire: Wire;
  /** Serves a handler on a loopback port; answers `http://127.0.0.1:<port>`. */
  serve(handler: Handler): Promise<string>;
  /** A loopback URL on which nobody listens. */
  nowhere(): Promise<string>;
  /** A server that reads each request and then breaks the connection. */
  breaking(): Promise<string>;
  /** What a name resolves to. */
  name(name: string, addresses: readonly string[]): void;
  lookups(name: string): number;
  /** Lets so much time pass. */
  pass(durationMs: number): Promise<void>;
}

export type MakeWire = () => Promise<WireUnderTest>;
type Net = WireUnderTest;

const TIMEOUT_MS = 5_000;
const ok = (body: HandlerResponse["body"] = "ok"): HandlerResponse => ({ status: 200, headers: {}, body });
const text = ({ body }: OutboundAnswer) => new TextDecoder().decode(body);
const get = (url: string, more: Partial<OutboundRequest> = {}): OutboundRequest => ({
  method: "GET",
  url,
  timeoutMs: TIMEOUT_MS,
  reach: "private",
  ...more,
});
const refuses = (promise: Promise<unknown>, code: string) =>
  assert.rejects(promise, { name: "DarkMatterError", code });

/** What every `Wire` keeps: `for (const { title, run } of wireSuite(make)) test(title, run)`. */
export function wireSuite(make: MakeWire): readonly SuiteCase[] {
  const on = (title: string, body: (net: Net) => Promise<void>): SuiteCase => ({
    title,
    async run() {
      await using net = await make();
      await body(net);
    },
  });
  return [
    ...exchangeCases(on),
    ...limitCases(on),
    ...failureCases(on),
    ...guardCases(on),
    ...redirectCases(on),
  ];
}

type On = (title: string, body: (net: Net) => Promise<void>) => SuiteCase;

function exchangeCases(on: On): readonly SuiteCase[] {
  return [
    on("a request arrives as it was sent, from a loopback address", async (net) => {
      const seen: InboundRequest[] = [];
      const base = await net.serve(async (request) => {
        seen.push(request);
        return ok();
      });
      const body = Uint8Array.from([0, 255, 10, 13]);
      await net.wire.request({
        ...get(`${base}/a%20b?c=d&e`),
        method: "POST",
        headers: { "X-One": "1" },
        body,
      });
      const [request] = seen;
      assert.ok(request);
      assert.deepEqual([request.method, request.path, request.query], ["POST", "/a%20b", "c=d&e"]);
      assert.equal(request.headers["x-one"], "1");
      assert.equal(request.headers.host, new URL(base).host);
      assert.deepEqual([...request.body], [...body]);
      assert.deepEqual(request.remote, { address: "127.0.0.1", loopback: true });
    }),
    on("an answer of any status resolves, with lower-case header names", async (net) => {
      const base = await net.serve(async () => ({ status: 418, headers: { "X-Kind": "Teapot" }, body: "é" }));
      const answer = await net.wire.request(get(base));
      assert.equal(answer.status, 418);
      assert.equal(answer.headers["x-kind"], "Teapot");
      assert.equal(text(answer), "é");
    }),
    on("text, bytes, streams and empty bodies all arrive whole", async (net) => {
      async function* stream() {
        yield utf8("one ");
        yield utf8("two");
      }
      const bodies: Record<string, () => HandlerResponse["body"]> = {
        "/text": () => "one two",
        "/bytes": () => utf8("one two"),
        "/stream": stream,
      };
      const base = await net.serve(async ({ path }) => ok(bodies[path]?.() ?? ""));
      for (const path of Object.keys(bodies))
        assert.equal(text(await net.wire.request(get(base + path))), "one two");
      assert.equal((await net.wire.request(get(`${base}/empty`))).body.length, 0);
    }),
    on("64 requests in flight at once all get their own answer", async (net) => {
      let [open, most] = [0, 0];
      const gate = Promise.withResolvers<void>();
      const base = await net.serve(async ({ query }) => {
        most = Math.max(most, ++open);
        if (open === 64) gate.resolve();
        await gate.promise;
        return ok(query);
      });
      const numbers = Array.from({ length: 64 }, (_, index) => `${index}`);
      const answers = await Promise.all(numbers.map((number) => net.wire.request(get(`${base}/?${number}`))));
      assert.deepEqual(answers.map(text), numbers);
      assert.equal(most, 64);
    }),
  ];
}

function limitCases(on: On): readonly SuiteCase[] {
  return [
    on("an answer of just the limit is read, one byte more is refused", async (net) => {
      const base = await net.serve(async ({ query }) => ok("x".repeat(Number(query))));
      const answer = await net.wire.request(get(`${base}/?1000`, { maxBytes: 1000 }));
      assert.equal(answer.body.length, 1000);
      await refuses(net.wire.request(get(`${base}/?1001`, { maxBytes: 1000 })), "ANSWER_TOO_LARGE");
      await refuses(net.wire.request(get(`${base}/?${64 * 1024 + 1}`)), "ANSWER_TOO_LARGE");
    }),
    on("an answer that announces its length is judged by the same limit", async (net) => {
      const base = await net.serve(async ({ query }) => ({
        status: 200,
        headers: { "content-length": query },
        body: "x".repeat(Number(query)),
      }));
      const answer = await net.wire.request(get(`${base}/?1000`, { maxBytes: 1000 }));
      assert.equal(text(answer), "x".repeat(1000));
      await refuses(net.wire.request(get(`${base}/?1001`, { maxBytes: 1000 })), "ANSWER_TOO_LARGE");
    }),
    on("an endless answer is given up at the limit", async (net) => {
      async function* endless() {
        for (;;) yield new Uint8Array(1000);
      }
      const base = await net.serve(async () => ok(endless()));
      await refuses(net.wire.request(get(base)), "ANSWER_TOO_LARGE");
    }),
    on("compressed bytes are handed over as they are", async (net) => {
      const base = await net.serve(async () => ({
        status: 200,
        headers: { "content-encoding": "gzip" },
        body: "raw",
      }));
      assert.equal(text(await net.wire.request(get(base))), "raw");
    }),
    on("a server that never answers ends in TIMEOUT, also in the middle of its answer", async (net) => {
      async function* stalled() {
        yield utf8("begun");
        await new Promise(() => undefined);
      }
      const never = new Promise<HandlerResponse>(() => undefined);
      const base = await net.serve(({ path }) =>
        path === "/never" ? never : Promise.resolve(ok(stalled())),
      );
      for (const path of ["/never", "/stalled"]) {
        const refused = refuses(net.wire.request(get(base + path, { timeoutMs: 100 })), "TIMEOUT");
        await net.pass(150);
        await refused;
      }
    }),
  ];
}

function failureCases(on: On): readonly SuiteCase[] {
  return [
    on("nobody listening and an unknown name are UNREACHABLE", async (net) => {
      await refuses(net.wire.request(get(await net.nowhere())), "UNREACHABLE");
      await refuses(net.wire.request(get("http://nobody.invalid:8100/")), "UNREACHABLE");
    }),
    on("a connection that breaks after the request left is CONNECTION_LOST", async (net) => {
      const url = await net.breaking();
      await refuses(net.wire.request({ ...get(url), method: "POST", body: "bytes" }), "CONNECTION_LOST");
    }),
    on("a caller that gives up gets ABORTED, and the server hears of it", async (net) => {
      const arrived = Promise.withResolvers<void>();
      const heard = Promise.withResolvers<void>();
      const base = await net.serve(async ({ signal }) => {
        signal.addEventListener("abort", () => heard.resolve());
        arrived.resolve();
        await heard.promise;
        return ok();
      });
      const stop = new AbortController();
      const refused = refuses(net.wire.request(get(base, { signal: stop.signal })), "ABORTED");
      await arrived.promise;
      stop.abort();
      await Promise.all([refused, heard.promise]);
      await refuses(net.wire.request(get(base, { signal: stop.signal })), "ABORTED");
    }),
    on("a header that would smuggle a line is refused and nothing is sent", async (net) => {
      let arrived = 0;
      const base = await net.serve(async () => {
        arrived++;
        return ok();
      });
      await refuses(net.wire.request(get(base, { headers: { "x-a": "1\r\nx-b: 2" } })), "REQUEST_INVALID");
      assert.equal(arrived, 0);
    }),
  ];
}

/** In every form a URL can write them. */
const NEVER = [
  "http://169.254.169.254/",
  "http://0.0.0.0/",
  "http://[::]/",
  "http://[fe80::1]/",
  "http://224.0.0.1/",
  "http://255.255.255.255/",
  "http://[ff02::1]/",
  "http://[::ffff:169.254.1.1]/",
  "http://[::ffff:a9fe:a9fe]/",
  "http://[::127.0.0.1]/",
  "http://[64:ff9b::127.0.0.1]/",
  "http://[2002:7f00:1::]/",
  "http://2852039166/",
  "http://0xa9fea9fe/",
  "http://0251.0376.0251.0376/",
];

function guardCases(on: On): readonly SuiteCase[] {
  return [
    on("addresses that nobody may reach are refused, however they are written", async (net) => {
      for (const url of NEVER) await refuses(net.wire.request(get(url)), "ADDRESS_REFUSED");
    }),
    on("loopback and private addresses are refused to public requests", async (net) => {
      const base = await net.serve(async () => ok());
      const port = new URL(base).port;
      const hosts = [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "10.1.2.3",
        "[fd00::1]",
      ];
      for (const host of hosts) {
        await refuses(
          net.wire.request(get(`http://${host}:${port}/`, { reach: "public" })),
          "ADDRESS_REFUSED",
        );
      }
    }),
    on("a name is judged by what it resolves to", async (net) => {
      const base = await net.serve(async () => ok());
      const { port } = new URL(base);
      net.name("inside.example", ["127.0.0.1"]);
      net.name("metadata.example", ["169.254.169.254"]);
      const inside = `http://inside.example:${port}/`;
      assert.equal((await net.wire.request(get(inside))).status, 200);
      await refuses(net.wire.request(get(inside, { reach: "public" })), "ADDRESS_REFUSED");
      await refuses(net.wire.request(get("http://metadata.example/")), "ADDRESS_REFUSED");
      await refuses(
        net.wire.request(get("http://metadata.example/", { reach: "public" })),
        "ADDRESS_REFUSED",
      );
    }),
    on("only the admitted ones of a name's addresses are connected to", async (net) => {
      const { port } = new URL(await net.serve(async () => ok()));
      net.name("mixed.example", ["169.254.169.254", "127.0.0.1"]);
      assert.equal((await net.wire.request(get(`http://mixed.example:${port}/`))).status, 200);
    }),
    on("a name is looked up once for a request: what was checked is what is connected to", async (net) => {
      const { port } = new URL(await net.serve(async () => ok()));
      net.name("rebound.example", ["127.0.0.1"]);
      await net.wire.request(get(`http://rebound.example:${port}/`));
      assert.equal(net.lookups("rebound.example"), 1);
    }),
    on("what is no http URL, or carries a password, is refused", async (net) => {
      const urls = [
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://",
        "http:127.0.0.1",
        "http://a:b@127.0.0.1/",
        "nonsense",
      ];
      for (const url of urls) await refuses(net.wire.request(get(url)), "ADDRESS_REFUSED");
    }),
  ];
}

function redirectCases(on: On): readonly SuiteCase[] {
  const to = (location: string): HandlerResponse => ({ status: 302, headers: { location }, body: "" });
  return [
    on("a redirect is answered as it is unless it was asked for", async (net) => {
      const base = await net.serve(async ({ path }) => (path === "/" ? to("/next") : ok()));
      const plain = await net.wire.request(get(base));
      assert.deepEqual([plain.status, plain.headers.location], [302, "/next"]);
      assert.equal((await net.wire.request(get(base, { redirects: 1 }))).status, 200);
    }),
    on("redirects end where they were allowed to, and a POST never follows one", async (net) => {
      let posts = 0;
      const base = await net.serve(async ({ method }) => {
        if (method === "POST") posts++;
        return to("/again");
      });
      assert.equal((await net.wire.request(get(base, { redirects: 3 }))).status, 302);
      await net.wire.request({ ...get(base, { redirects: 3 }), method: "POST", body: "x" });
      assert.equal(posts, 1);
    }),
    on("each redirect is checked as a new request", async (net) => {
      const base = await net.serve(async () => to("http://169.254.169.254/latest"));
      await refuses(net.wire.request(get(base, { redirects: 1 })), "ADDRESS_REFUSED");
    }),
    on("another origin hears none of the first one's headers", async (net) => {
      const seen: InboundRequest[] = [];
      const other = await net.serve(async (request) => {
        seen.push(request);
        return ok();
      });
      const first = await net.serve(async () => to(`${other}/there`));
      await net.wire.request(
        get(first, { redirects: 1, headers: { "x-secret": "s", accept: "text/plain" } }),
      );
      assert.equal(seen[0]?.headers["x-secret"], undefined);
      assert.equal(seen[0]?.headers.accept, "text/plain");
    }),
  ];
}
