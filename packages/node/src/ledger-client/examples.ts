/** Programs that `darkmatter quickstart` writes: whole, of plain HTTP, for anybody to read and change. */
export const EXAMPLES = ["single", "openai", "anthropic", "langgraph"] as const;
export type ExampleName = (typeof EXAMPLES)[number];

export interface Example {
  readonly file: string;
  /** What it needs beside the keys of `.env`, for a person. */
  readonly needs: readonly string[];
  readonly text: string;
}

/** What every example begins with: the way to the ledger. */
const LEDGER = `
const { DARKMATTER_HOST, DARKMATTER_API_KEY } = process.env;
if (!DARKMATTER_HOST || !DARKMATTER_API_KEY) throw new Error("Run darkmatter init first, and this with --env-file=.env");

/** Calls the ledger server; throws what it says when it refuses. */
async function ledger(path: string, body?: object): Promise<any> {
  const answer = await fetch(DARKMATTER_HOST + path, {
    method: body ? "POST" : "GET",
    headers: { authorization: \`Bearer \${DARKMATTER_API_KEY}\`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
    redirect: "error", // the key goes nowhere else
  });
  const said: any = await answer.json();
  if (!answer.ok) throw new Error(\`\${answer.status}: \${said.error}\`);
  return said;
}

/** What was asked and answered, after the step before it. */
async function commit(payload: object, agent: object, parentId?: string): Promise<string> {
  const { id } = await ledger("/api/commit", { payload, agent, parentId, traceId });
  console.log("committed", id);
  return id;
}

const traceId = \`trc_\${crypto.randomUUID()}\`;
`;

const END = `
const { chain_intact, length } = await ledger(\`/api/verify/\${last}\`);
console.log(chain_intact ? \`verified: \${length} steps, intact\` : "BROKEN");
const { replay } = await ledger(\`/api/replay/\${last}?mode=full\`);
for (const { step, payload } of replay) console.log(step, JSON.stringify(payload.output));
console.log(\`as proof: darkmatter export \${last} --server\`);
`;

/** A model behind HTTP that answers a list of messages; named for the API it has. */
const OPENAI = `
/** Any server with OpenAI's API: set OPENAI_BASE_URL for another one. */
async function ask(input: string): Promise<string> {
  const base = process.env.OPENAI_BASE_URL ?? "https://api.openai.com/v1";
  const answer = await fetch(\`\${base}/chat/completions\`, {
    method: "POST",
    headers: { authorization: \`Bearer \${process.env.OPENAI_API_KEY}\`, "content-type": "application/json" },
    body: JSON.stringify({ model, messages: [{ role: "user", content: input }] }),
  });
  if (!answer.ok) throw new Error(\`the model answers \${answer.status}\`);
  const said: any = await answer.json();
  return said.choices[0].message.content;
}
const model = process.env.OPENAI_MODEL ?? "gpt-4o-mini";
const provider = "openai";
`;

const ANTHROPIC = `
async function ask(input: string): Promise<string> {
  const base = process.env.ANTHROPIC_BASE_URL ?? "https://api.anthropic.com";
  const answer = await fetch(\`\${base}/v1/messages\`, {
    method: "POST",
    headers: {
      "x-api-key": process.env.ANTHROPIC_API_KEY ?? "",
      "anthropic-version": "2023-06-01",
      "content-type": "application/json",
    },
    body: JSON.stringify({ model, max_tokens: 1024, messages: [{ role: "user", content: input }] }),
  });
  if (!answer.ok) throw new Error(\`the model answers \${answer.status}\`);
  const said: any = await answer.json();
  return said.content[0].text;
}
const model = process.env.ANTHROPIC_MODEL ?? "claude-sonnet-4-5";
const provider = "anthropic";
`;

const TWO_QUESTIONS = `
const question = "Name one thing that can go wrong when two programs write to one file.";
const first = await ask(question);
const one = await commit({ input: question, output: first }, { role: "writer", provider, model });

const check = \`Is this right? Answer in one sentence: \${first}\`;
const last = await commit({ input: check, output: await ask(check) }, { role: "reviewer", provider, model }, one);
`;

const SINGLE = `
const one = await commit(
  { input: "Plan a blog post about chains of custody.", output: "1. What they are  2. Why agents need one" },
  { role: "planner", provider: "local", model: "my-model" },
);
const last = await commit(
  { input: "Write part 1.", output: "A chain of custody says who held what, and when." },
  { role: "writer", provider: "local", model: "my-model" },
  one,
);
`;

const LANGGRAPH = `
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
`;

const GRAPH = `
const State = Annotation.Root({ topic: Annotation<string>, draft: Annotation<string>, verdict: Annotation<string> });

/** A node whose input and output are committed, each after the one before. */
let last: string | undefined;
function recorded(role: string, node: (state: typeof State.State) => Promise<object>) {
  return async (state: typeof State.State) => {
    const output = await node(state);
    last = await commit({ input: state, output }, { role, provider: "langgraph" }, last);
    return output;
  };
}

const app = new StateGraph(State)
  .addNode("write", recorded("writer", async ({ topic }) => ({ draft: \`All about \${topic}.\` })))
  .addNode("review", recorded("reviewer", async ({ draft }) => ({ verdict: \`\${draft.length} characters: fine\` })))
  .addEdge(START, "write")
  .addEdge("write", "review")
  .addEdge("review", END)
  .compile();
await app.invoke({ topic: "chains of custody" });
`;

const MODEL_KEY = (name: string) => `${name}_API_KEY in the environment or in .env`;

export function exampleOf(name: ExampleName): Example {
  const file = `darkmatter-${name}.ts`;
  const head = `// Run: node --env-file=.env ${file}   (Node 22.18 or newer)\n`;
  if (name === "single") return { file, needs: [], text: head + LEDGER + SINGLE + END };
  if (name === "openai") {
    return { file, needs: [MODEL_KEY("OPENAI")], text: head + LEDGER + OPENAI + TWO_QUESTIONS + END };
  }
  if (name === "anthropic") {
    return { file, needs: [MODEL_KEY("ANTHROPIC")], text: head + LEDGER + ANTHROPIC + TWO_QUESTIONS + END };
  }
  return {
    file,
    needs: ["the package @langchain/langgraph: npm install @langchain/langgraph @langchain/core"],
    text: head + LANGGRAPH + LEDGER + GRAPH + END,
  };
}
