import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { canon1OfJson } from "@darkmatter/core";
import { makeConversation } from "@darkmatter/proof/testing";
import type { Checks } from "../checks.ts";
import { pythonMissing } from "../mutations/python-verifier.ts";
import { runProgram } from "../run-program.ts";
import { ALTERATIONS, altered } from "./alterations.ts";
import { type StrangersFolder, strangersFolder } from "./folder.ts";
import { checkLiars } from "./liars.ts";
import { VERIFIER } from "./opinion.ts";

const VECTORS = join(import.meta.dirname, "..", "..", "vectors");
/** So that it can be read whole before it is trusted. */
const LINES_MAX = 300;
const LINE_LENGTH_MAX = 110;
const PHASES = 19;
const VECTORS_MAX_MS = 60_000;

/** A stranger has `verify.py`, a bundle and nothing of ours: an empty folder and another language. */
export async function runStranger(checks: Checks, options: { readonly short: boolean }): Promise<void> {
  const missing = pythonMissing();
  if (missing !== undefined) return checks.skip("stranger", missing);
  const talk = makeConversation({ seed: 5 });
  const bundle = await talk.bundleOf("ana");
  const ana = canon1OfJson(bundle);
  using folder = strangersFolder(VERIFIER);

  await checks.check("stranger: verify.py and a bundle are enough", async () => {
    assert.deepEqual(folder.files(), ["verify.py"]);
    const { status, lines, stderr } = await folder.run(folder.keep("ana.json", ana));
    assert.deepEqual(
      { status, stderr, last: lines.at(-1) },
      { status: 0, stderr: "", last: "VERIFIED ana.json" },
    );
    assert.equal(lines.length, PHASES + 1);
    const unchecked = lines.filter((line) => line.startsWith("NOT CHECKED "));
    assert.deepEqual(unchecked, ["NOT CHECKED attestations: none there", "NOT CHECKED evidence: none there"]);
    assert.equal(lines.filter((line) => line.startsWith("PASS ")).length, PHASES - unchecked.length);
  });
  for (const alteration of ALTERATIONS) {
    await checks.check(`stranger: one character of ${alteration.name}`, async () => {
      const changed = canon1OfJson(altered(bundle, alteration));
      assert.equal([...changed].length, [...ana].length);
      const { status, lines } = await folder.run(folder.keep("changed.json", changed));
      assert.deepEqual({ status, last: lines.at(-1) }, { status: 1, last: "FAILED changed.json" });
      const failed = lines
        .filter((line) => line.startsWith("FAIL "))
        .map((line) => /^FAIL (\w+):/.exec(line)?.[1]);
      assert.deepEqual(failed, alteration.phases);
    });
  }
  await checks.check("stranger: JSON for programs", async () => {
    const { lines } = await folder.run("--json", "ana.json", "changed.json");
    const reports = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      reports.map(({ file, verdict }) => [file, verdict]),
      [
        ["ana.json", "verified"],
        ["changed.json", "failed"],
      ],
    );
    const [first] = reports[1].phases;
    assert.deepEqual(Object.keys(first).sort(), ["checked", "detail", "failing", "phase", "status"]);
  });
  await checks.check("stranger: several files are told to be taken one by one", async () => {
    const bo = folder.keep("bo.json", canon1OfJson(await talk.bundleOf("bo")));
    const { status, lines } = await folder.run("ana.json", bo);
    assert.equal(status, 0);
    assert.match(lines.at(-1) ?? "", /^NOT CHECKED together/);
  });
  await checkBadFiles(checks, folder, ana);
  await checkLiars(checks, options);
  await checkItself(checks);
}

async function checkBadFiles(checks: Checks, folder: StrangersFolder, bundle: string): Promise<void> {
  const files: Readonly<Record<string, string | Uint8Array>> = {
    "an empty file": "",
    "a file cut in half": bundle.slice(0, bundle.length / 2),
    "a file cut by its last byte": bundle.slice(0, -1),
    "bytes that are no text": Uint8Array.from({ length: 5000 }, (_, at) => (at * 197) & 0xff),
    "another JSON file": '{"a":[1,2,3]}',
    "lists in lists": "[".repeat(100_000),
    "a name to write over the screen with": bundle.replace('{"_spec"', '{"\\u001b[2J\\r":1,"_spec"'),
  };
  for (const [name, content] of Object.entries(files)) {
    await checks.check(`stranger: ${name} is refused in words`, async () => {
      const { status, stdout, stderr, lines } = await folder.run(folder.keep("bad.json", content));
      assert.deepEqual(
        { status, stderr, last: lines.at(-1) },
        { status: 1, stderr: "", last: "FAILED bad.json" },
      );
      assert.match(lines[0] ?? "", /^FAIL format: ./);
      assert.equal(lines.filter((line) => line.startsWith("NOT CHECKED ")).length, PHASES - 1);
      assert.match(stdout, /^[\n -~]*$/);
    });
  }
  await checks.check("stranger: a file that is not there, and no file at all", async () => {
    const absent = await folder.run("absent.json");
    assert.deepEqual({ status: absent.status, stderr: absent.stderr }, { status: 1, stderr: "" });
    assert.match(absent.lines[0] ?? "", /^FAIL format: .*No such file/);
    for (const words of [[], ["--json"], ["--wrong"], ["ana.json", "--wrong"]]) {
      assert.equal((await folder.run(...words)).status, 2, `with ${words.join(" ") || "nothing"}`);
    }
  });
}

async function checkItself(checks: Checks): Promise<void> {
  await checks.check(
    "stranger: the language-neutral vectors hold there too",
    async () => {
      const words = [VERIFIER, "--vectors", VECTORS];
      const { stdout, stderr, status } = await runProgram("python3", words, { timeoutMs: VECTORS_MAX_MS });
      const wrong = stdout.split("\n").filter((line) => line.startsWith("FAILED"));
      assert.deepEqual({ wrong, stderr, status }, { wrong: [], stderr: "", status: 0 });
      assert.match(stdout, /^\d{4} passed, 0 failed$/m);
    },
    VECTORS_MAX_MS,
  );
  await checks.check("stranger: it can be read in one sitting, and needs nothing else of ours", () => {
    const lines = readFileSync(VERIFIER, "utf8").trimEnd().split("\n");
    assert.ok(lines.length <= LINES_MAX, `${lines.length} lines`);
    assert.deepEqual(
      lines.filter((line) => line.length > LINE_LENGTH_MAX),
      [],
    );
  });
}
