import type { Read, Write } from "@darkmatter/store";
import { meshError } from "../errors.ts";
import { readSetting, writeSetting } from "../identity/identity.store.ts";
import type { MeshPorts } from "../ports.ts";
import { ROUTER_MODES, type RouterMode } from "../settings.ts";
import { inOrder } from "./decision.ts";
import { deleteRule, readRules, saveRule } from "./router.store.ts";
import { RULES_MAX, Rule, uselessness } from "./rule.ts";

/** What the owner wants done with messages: held in memory, so that a message that just waits costs no read. */
export interface Rules {
  /** As they are tried. */
  ordered(): readonly Rule[];
  /** The environment's, else the owner's, else `spawn` (mesh.md 20). */
  mode(): RouterMode;
  /** The same as the database has it, where nothing was started. */
  modeIn(tx: Read): Promise<RouterMode>;
  /** Whether the environment decides the mode. */
  isModeFixed(): boolean;
  setMode(tx: Write, mode: RouterMode): Promise<void>;
  /** Oldest first. */
  all(tx: Read): Promise<readonly Rule[]>;
  /** Throws BAD_REQUEST for what is no rule, DUPLICATE for an id that is taken, TOO_MANY beyond `RULES_MAX`. */
  add(tx: Write, given: object): Promise<Rule>;
  /** Changes what is given. Throws NOT_FOUND, BAD_REQUEST. */
  edit(tx: Write, ruleId: string, changes: object): Promise<Rule>;
  /** The rule that was. Throws NOT_FOUND. */
  remove(tx: Write, ruleId: string): Promise<Rule>;
  /** An id no rule has: `r1`, `r2` … */
  freeId(tx: Read): Promise<string>;
  load(db: Read): Promise<void>;
}

export function createRules({ config }: Pick<MeshPorts, "config">): Rules {
  let ordered: readonly Rule[] = [];
  let chosen: RouterMode | undefined;

  async function storedMode(from: Read): Promise<RouterMode | undefined> {
    const stored = await readSetting(from, "router_mode");
    return ROUTER_MODES.find((mode) => mode === stored);
  }

  async function load(from: Read): Promise<void> {
    const all = await readRules(from);
    chosen = await storedMode(from);
    ordered = inOrder(all);
  }

  /** What is in memory changes with the commit, and not before. */
  async function reload(tx: Write): Promise<void> {
    const all = await readRules(tx);
    tx.afterCommit(() => {
      ordered = inOrder(all);
    });
  }

  async function find(tx: Read, ruleId: string): Promise<Rule> {
    const rule = (await readRules(tx)).find((one) => one.rule_id === ruleId);
    if (!rule) throw meshError("NOT_FOUND", `No rule is called '${ruleId.slice(0, 64)}'.`);
    return rule;
  }

  return {
    load,
    ordered: () => ordered,
    all: readRules,
    mode: () => config.routerMode ?? chosen ?? "spawn",
    modeIn: async (tx) => config.routerMode ?? (await storedMode(tx)) ?? "spawn",
    isModeFixed: () => config.routerMode !== undefined,

    async setMode(tx, mode) {
      await writeSetting(tx, "router_mode", mode);
      tx.afterCommit(() => {
        chosen = mode;
      });
    },

    async add(tx, given) {
      const rule = ruleOf(given);
      const before = await readRules(tx);
      if (before.length >= RULES_MAX)
        throw meshError("TOO_MANY", `There are ${RULES_MAX} rules already: remove some.`);
      if (before.some((one) => one.rule_id === rule.rule_id)) {
        throw meshError("DUPLICATE", `A rule is called '${rule.rule_id}' already: edit or remove that one.`);
      }
      await saveRule(tx, rule);
      await reload(tx);
      return rule;
    },

    async edit(tx, ruleId, changes) {
      const rule = ruleOf({ ...(await find(tx, ruleId)), ...changes, rule_id: ruleId });
      await saveRule(tx, rule);
      await reload(tx);
      return rule;
    },

    async remove(tx, ruleId) {
      const rule = await find(tx, ruleId);
      await deleteRule(tx, ruleId);
      await reload(tx);
      return rule;
    },

    async freeId(tx) {
      const taken = new Set((await readRules(tx)).map((rule) => rule.rule_id));
      let number = taken.size + 1;
      while (taken.has(`r${number}`)) number++;
      return `r${number}`;
    },
  };
}

/** Throws BAD_REQUEST, naming the first thing that is wrong. */
function ruleOf(given: object): Rule {
  const parsed = Rule.safeParse(given);
  if (!parsed.success) {
    const { path = [], message = "" } = parsed.error.issues[0] ?? {};
    const name = String(path[0] ?? "");
    throw meshError("BAD_REQUEST", `${message.startsWith(name) ? "" : `${name}: `}${message}.`);
  }
  const useless = uselessness(parsed.data);
  if (useless) throw meshError("BAD_REQUEST", useless);
  return parsed.data;
}
