import { join } from "node:path";
import { createVerifier } from "@darkmatter/identity";
import type { PhaseReport, TogetherReport } from "@darkmatter/proof";
import { nodeFiles } from "@darkmatter/store";
import type { DemoNode } from "../adapters/demo-node.ts";
import { makeBundle } from "./bundle-making.ts";
import { namesIn, statementText } from "./statement-text.ts";

/** One side of a conversation, as its node exported it. */
export interface DemoFile {
  readonly node: string;
  /** Of the file alone. */
  readonly name: string;
  readonly path: string;
  readonly steps: number;
  readonly witnesses: number;
}

/** Exports all that a node holds of a message, words included. */
export async function exportSide(
  { name: node, home, passport }: DemoNode,
  message: string,
  folder: string,
  signal: AbortSignal,
): Promise<DemoFile> {
  const request = { commit: message, disclose: "all", bare: false } as const;
  const { text, steps, witnesses } = await makeBundle({ home, passport, signal }, request);
  const name = `${node.toLowerCase()}.json`;
  const path = join(folder, name);
  await nodeFiles.replace(path, text);
  return { node, name, path, steps, witnesses };
}

/** What checks is loaded by who checks: the table of commands holds the demo, too. */
const checking = async () => ({
  ...(await import("@darkmatter/proof")),
  ...(await import("../adapters/bundle-file.ts")),
});

export async function checkTogether(files: readonly DemoFile[]): Promise<TogetherReport> {
  const { readBundleFile, verifyTogether } = await checking();
  const read = async ({ name, path }: DemoFile) => ({ name, text: await readBundleFile(path) });
  return verifyTogether(await Promise.all(files.map(read)), createVerifier().verify);
}

/** What was said, a line for each act that both sides prove; receipts are left out. */
export function provenWords(report: TogetherReport): string[] {
  const names = namesIn(report);
  return report.statements
    .filter(
      ({ act, provenBy }) => act.startsWith("message.") && provenBy.some(({ kind }) => kind === "other side"),
    )
    .map((statement) => statementText(statement, names));
}

/** Changes one byte of a file: the first of some words of it. The phases that then fail. */
export async function checkTampered(
  { path }: DemoFile,
  words: string,
  changed: string,
): Promise<PhaseReport[]> {
  const { readBundleFile, verifyBundle } = await checking();
  const text = new TextDecoder().decode(await readBundleFile(path));
  await nodeFiles.replace(path, text.replace(words, changed));
  const { phases } = await verifyBundle(await readBundleFile(path), createVerifier().verify);
  return phases.filter(({ status }) => status === "fail");
}
