import type { Helpers } from "../delegation/helpers.ts";
import type { ProcessEnd, ProcessSpec, StartedProcess } from "../delegation/processes.ts";

/** A process that ends when the test says so, or soon after it is asked to. */
export interface FakeProcess extends StartedProcess {
  readonly spec: ProcessSpec;
  readonly token: string;
  end(end: ProcessEnd): void;
  /** For how long it was given to end, each time it was asked. */
  readonly graces: number[];
}

/** Recorders in the place of programs and folders. */
export function fakeHelpers({ commands = ["claude"] }: { readonly commands?: readonly string[] } = {}) {
  const started: FakeProcess[] = [];
  const leftovers: { readonly pid: number; readonly mark: string }[] = [];
  /** Ids of delegations whose processes an earlier run left, as their environments say. */
  const marked = new Set<string>();
  const folders = new Map<string, Readonly<Record<string, string>>>();
  const helpers: Helpers = {
    cwd: "/project",
    env: { PATH: "/bin", CLAUDECODE: "1", DARKMATTER_PIN: "1234", DARKMATTER_SOLANA_RPC: "https://key@rpc" },
    folders: {
      pathOf: (id) => `/helpers/${id}`,
      make: async (id, files) => void folders.set(id, files),
      remove: async (id) => void folders.delete(id),
      removeAll: async () => folders.clear(),
    },
    processes: {
      find: async (command) => (commands.includes(command) ? `/bin/${command}` : undefined),
      terminateLeftover: async (left) => leftovers.push(left) > 0,
      terminateMarked: async (_variable, value) => marked.has(value),
      isOf: async (pid, leaders) => leaders.includes(pid),
      start(spec) {
        const ended = Promise.withResolvers<ProcessEnd>();
        const graces: number[] = [];
        const one: FakeProcess = {
          spec,
          token: spec.env.DARKMATTER_MCP_TOKEN ?? "",
          pid: 1000 + started.length,
          mark: `boot ${started.length}`,
          ended: ended.promise,
          tail: () => "its last words",
          end: ended.resolve,
          graces,
          async terminate(graceMs) {
            graces.push(graceMs);
            ended.resolve({ kind: "killed", signal: "SIGTERM" });
          },
        };
        started.push(one);
        return one;
      },
    },
  };
  return { helpers, started, leftovers, marked, folders };
}
