import { type JsonObject, reasonOf, systemClock } from "@darkmatter/core";
import { type Command, type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { type DemoNode, startDemoNode } from "../adapters/demo-node.ts";
import { temporaryFolder } from "../adapters/temporary-folder.ts";
import { visit } from "../adapters/visit.ts";
import { nodeError } from "../errors.ts";
import { plain, rows, shortId } from "./context.ts";
import { checkTampered, checkTogether, type DemoFile, exportSide, provenWords } from "./demo-proof.ts";

const QUESTION = "Bo, what is 6 times 7?";
const ANSWER = "42, Ana.";
const BEFORE_THE_CRASH = "Please remember this through a crash.";
const AFTER_THE_CRASH = "Still there?";
/** One byte of the answer, changed by whoever would rather have another. */
const FORGED_ANSWER = "43, Ana.";
const ANSWER_WITHIN_S = 5;
/** Sent and received, answered and been answered. */
const SAID_BY_BOTH = 4;

export function demoCommand(): Command {
  return {
    name: "demo",
    summary: "two agents on this machine talk, one is killed, nothing said is lost, and all of it is proven",
    arguments: [],
    options: [],
    run: demo,
  };
}

interface Step {
  readonly name: string;
  readonly ok: boolean;
  readonly ms: number;
  readonly detail: string;
}

/** The nodes by name; `bo` is another process after the crash. */
interface Cast {
  ana: DemoNode;
  bo: DemoNode;
  /** Id of the message that was answered. */
  asked: string;
  files: readonly DemoFile[];
}

async function demo(input: CommandInput): Promise<ExitCode> {
  const { out, signal } = input;
  const begun = systemClock.monotonic();
  const steps: Step[] = [];
  await using folder = await temporaryFolder();
  const cast: Partial<Cast> = {};
  try {
    for (const [name, act] of SCRIPT) {
      if (signal.aborted) break;
      const since = systemClock.monotonic();
      const step = await act(cast as Cast, folder.path, signal).then(
        (detail) => ({ name, ok: true, detail }),
        (error) => ({ name, ok: false, detail: reasonOf(error) }),
      );
      const ms = Math.round(systemClock.monotonic() - since);
      steps.push({ ...step, ms });
      out.line(`${step.ok ? "✓" : "✗"} ${name} (${ms} ms)\n    ${step.detail}`);
      // What follows stands on this.
      if (!step.ok) break;
    }
  } finally {
    await Promise.all([cast.ana?.stop(), cast.bo?.stop()]);
  }
  const ok = steps.length === SCRIPT.length && steps.every((step) => step.ok);
  const ms = Math.round(systemClock.monotonic() - begun);
  const human = ok
    ? `Done in ${(ms / 1000).toFixed(1)} s: both nodes stopped, their folders removed.`
    : "The demo failed at the step above.";
  out.result(human, { ok, ms, steps: steps as unknown as JsonObject[] });
  return ok ? EXIT_OK : EXIT_FAILURE;
}

type Act = (cast: Cast, folder: string, signal: AbortSignal) => Promise<string>;

const SCRIPT: readonly (readonly [string, Act])[] = [
  [
    "two nodes start, each with its own key, database and process",
    async (cast, folder) => {
      [cast.ana, cast.bo] = await Promise.all([startDemoNode(folder, "Ana"), startDemoNode(folder, "Bo")]);
      return [cast.ana, cast.bo]
        .map(({ name, agentId, url, pid }) => `${name} is ${shortId(agentId)} at ${url}, process ${pid}`)
        .join("; ");
    },
  ],
  [
    "Ana asks Bo for a connection",
    async ({ ana, bo }, _folder, signal) => {
      const request = { action: "request", target_url: bo.url };
      const { status } = await tool(ana, signal, "darkmatter_connection", request);
      expectThat(status === "connected", `the connection is ${plain(status)}`);
      return "connected";
    },
  ],
  [
    "Ana sends Bo a signed message, and Bo reads it",
    async (cast, _folder, signal) => {
      const { ana, bo } = cast;
      const sent = await send(ana, bo, QUESTION, signal);
      cast.asked = plain(sent);
      const [message] = await inbox(bo, signal);
      expectThat(
        message?.message_id === sent && message?.content === QUESTION,
        "Bo's inbox does not hold it",
      );
      return `"${QUESTION}" (${plain(sent)})`;
    },
  ],
  [
    "Bo replies, and Ana, who waits, is handed the answer",
    async ({ ana, bo }, _folder, signal) => {
      const [message] = await inbox(bo, signal);
      const message_id = String(message?.message_id);
      const [answered] = await Promise.all([
        tool(ana, signal, "darkmatter_wait_for_response", { message_id, timeout_seconds: ANSWER_WITHIN_S }),
        tool(bo, signal, "darkmatter_respond_message", { message_id, response: ANSWER }),
      ]);
      const [response] = rows(answered, "responses");
      expectThat(response?.response === ANSWER, "the answer did not arrive");
      return `"${ANSWER}"`;
    },
  ],
  [
    "Ana sends another message; Bo's process is killed with SIGKILL",
    async ({ ana, bo }, _folder, signal) => {
      const sent = await send(ana, bo, BEFORE_THE_CRASH, signal);
      await bo.kill();
      return `"${BEFORE_THE_CRASH}" (${plain(sent)}); process ${bo.pid} is gone`;
    },
  ],
  [
    "Bo starts again, and the message is still in its inbox",
    async (cast, folder, signal) => {
      cast.bo = await startDemoNode(folder, "Bo");
      const [message] = await inbox(cast.bo, signal);
      expectThat(message?.content === BEFORE_THE_CRASH, "the message is lost");
      return `process ${cast.bo.pid} at ${cast.bo.url} still has "${plain(message?.content)}"`;
    },
  ],
  [
    "They talk on, with nothing to set up again",
    async ({ ana, bo }, _folder, signal) => {
      await send(ana, bo, AFTER_THE_CRASH, signal);
      const contents = (await inbox(bo, signal)).map(({ content }) => content);
      expectThat(
        contents.includes(AFTER_THE_CRASH) && contents.length === 2,
        "the new message did not arrive",
      );
      return `Bo's inbox: ${contents.map((content) => `"${plain(content)}"`).join(", ")}`;
    },
  ],
  [
    "Each exports its side of the question and the answer, witnessed by the other",
    async (cast, folder, signal) => {
      const { ana, bo, asked } = cast;
      cast.files = await Promise.all([ana, bo].map((node) => exportSide(node, asked, folder, signal)));
      expectThat(
        cast.files.every(({ witnesses }) => witnesses > 0),
        "a file has no witness",
      );
      return cast.files.map(({ name, steps }) => `${name}: ${steps} steps`).join("; ");
    },
  ],
  [
    "Both files are checked together, offline: what was said is proven by both sides",
    async ({ files }) => {
      const report = await checkTogether(files);
      expectThat(report.verdict === "verified", "the files do not verify");
      const words = provenWords(report);
      expectThat(words.length === SAID_BY_BOTH, `${words.length} acts are proven by both sides`);
      return words.join("\n    ");
    },
  ],
  [
    "One byte of Bo's file is changed, and the check names the place",
    async ({ files }) => {
      const [, file] = files;
      expectThat(file !== undefined, "there is no file");
      const failed = await checkTampered(file, ANSWER, FORGED_ANSWER);
      const place = failed.find(({ phase }) => phase === "disclosures");
      expectThat(place !== undefined, "the change is not found");
      return `"${FORGED_ANSWER}": ${failed.map(({ phase }) => phase).join(", ")} fail; ${plain(place.failing)}: ${plain(place.detail)}`;
    },
  ],
];

function tool(node: DemoNode, signal: AbortSignal, name: string, args: JsonObject = {}): Promise<JsonObject> {
  return visit({ home: node.home, passport: node.passport, signal }, "act", ({ call }) => call(name, args));
}

async function send(from: DemoNode, to: DemoNode, content: string, signal: AbortSignal) {
  const message = { content, target_agent_id: to.agentId };
  return (await tool(from, signal, "darkmatter_send_message", message)).message_id;
}

async function inbox(node: DemoNode, signal: AbortSignal): Promise<JsonObject[]> {
  return rows(await tool(node, signal, "darkmatter_list_inbox"), "messages");
}

function expectThat(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw nodeError("NODE_FAILED", `Expected otherwise: ${otherwise}.`);
}
