import { readFileSync } from "node:fs";
import { DarkMatterError, toHex } from "@darkmatter/core";
import { memoryFiles, seededRandom } from "@darkmatter/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSigner, findPassport, openPassport, placePassport, readPassport } from "./index.ts";

const STATES = "/home/ana/.darkmatter/state";
const SEED = "ab".repeat(32);
const random = seededRandom(1);
const search = (folder: string) => ({ folder, states: STATES });

const vectors = JSON.parse(
  readFileSync(new URL("../../../vectors/mesh/identity.json", import.meta.url), "utf8"),
) as Record<"derive" | "load", { label?: string; passport_file: string; agent_id: string }[]> & {
  created_file: { bytes: number; mode_octal: string };
};

describe("reading", () => {
  test.each([...vectors.derive, ...vectors.load])(
    "a passport of $agent_id is read ($label)",
    async (vector) => {
      const files = memoryFiles({ "/p/key": vector.passport_file });
      expect(createSigner(await readPassport(files, "/p/key")).agentId).toBe(vector.agent_id);
    },
  );

  test.each(["", " ", "ab", `${SEED}ab`, `${SEED}\n${SEED}`, SEED.replace("a", "g"), `0x${SEED.slice(2)}`])(
    "%j is damaged, refused without repeating it, and left as it is",
    async (text) => {
      const files = memoryFiles({ "/p/.darkmatter/passport.key": text });
      const refused = openPassport({ files, random }, search("/p"));
      await expect(refused).rejects.toMatchObject({ code: "PASSPORT_DAMAGED" });
      if (text.length > 2) await expect(refused).rejects.not.toThrow(text);
      expect(await files.read("/p/.darkmatter/passport.key")).toBe(text);
    },
  );

  test("whatever stands in the file, the answer is a seed or a coded error that does not hold it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", minLength: 16, maxLength: 80 }), async (text) => {
        const read = await readPassport(memoryFiles({ "/k": text }), "/k").catch((error: unknown) => error);
        if (read instanceof Uint8Array) return read.length === 32;
        return (
          read instanceof DarkMatterError &&
          !JSON.stringify([read.message, read.hint, `${read.cause}`]).includes(text)
        );
      }),
    );
  });

  test("a file that cannot be read is said to be that, not missing and not damaged", async () => {
    const files = { ...memoryFiles(), read: () => Promise.reject(new Error("EACCES")) };
    await expect(readPassport(files, "/k")).rejects.toMatchObject({ code: "PASSPORT_UNREADABLE" });
    const closed = { ...memoryFiles(), exists: () => Promise.reject(new Error("EACCES")) };
    await expect(findPassport(closed, search("/p"))).rejects.toMatchObject({ code: "PASSPORT_UNREADABLE" });
  });
});

describe("finding", () => {
  const key = (folder: string) => `${folder}/.darkmatter/passport.key`;

  test("a named file goes first, then the nearest ancestor's, then the folder's own to be created", async () => {
    const files = memoryFiles({ [key("/a")]: SEED, [key("/a/b/c")]: SEED });
    const found = (folder: string, more = {}) => findPassport(files, { ...search(folder), ...more });
    expect(await found("/a/b/c/d")).toEqual({ path: key("/a/b/c"), exists: true });
    expect(await found("/a/b")).toEqual({ path: key("/a"), exists: true });
    expect(await found("/x/y")).toEqual({ path: key("/x/y"), exists: false });
    expect(await found("/a/b", { environment: "/e.key" })).toEqual({ path: "/e.key", exists: false });
    expect(await found("/a/b", { environment: "/e.key", explicit: "x.key" })).toEqual({
      path: "/a/b/x.key",
      exists: false,
    });
  });

  test("state whose key is gone is never given another key, wherever below it one starts", async () => {
    const files = memoryFiles({ [key("/home/ana")]: SEED });
    await files.replace(key("/project"), "cd".repeat(32));
    const { signer } = await openPassport({ files, random }, search("/project"));
    await files.remove(key("/project"));

    for (const folder of ["/project", "/project/src"]) {
      const refused = openPassport({ files, random }, search(folder));
      await expect(refused).rejects.toMatchObject({ code: "PASSPORT_GONE" });
      await expect(refused).rejects.toThrow(key("/project"));
      await expect(refused).rejects.toThrow(signer.agentId);
    }
    expect(await files.exists(key("/project"))).toBe(false);
    expect(await files.exists(key("/project/src"))).toBe(false);
  });

  test("a nearer key that is gone is not passed over for a farther one", async () => {
    const files = memoryFiles({ [key("/home")]: SEED, [key("/home/project")]: "cd".repeat(32) });
    await openPassport({ files, random }, search("/home/project"));
    await files.remove(key("/home/project"));
    await expect(findPassport(files, search("/home/project"))).rejects.toMatchObject({
      code: "PASSPORT_GONE",
    });
    expect((await findPassport(files, search("/home"))).exists).toBe(true);
  });

  test("a project that was moved is the same agent, and its old place is free again", async () => {
    const files = memoryFiles({ [key("/old")]: SEED });
    const before = await openPassport({ files, random }, search("/old"));
    await files.remove(key("/old"));
    await files.replace(key("/new"), SEED);
    const after = await openPassport({ files, random }, search("/new"));
    expect(after.signer.agentId).toBe(before.signer.agentId);
    expect((await openPassport({ files, random }, search("/old"))).created).toBe(true);
  });
});

describe("creating", () => {
  test("a second agent starts although the first one's JSON state file lies among the states", async () => {
    const files = memoryFiles();
    const first = await openPassport({ files, random }, search("/first"));
    await files.replace(`${STATES}/${first.signer.agentId}.json`, "{}");
    const second = await openPassport({ files, random: seededRandom(2) }, search("/second"));
    expect(second.created).toBe(true);
  });

  test("the first start makes a key of the reference's form, the second finds it", async () => {
    const files = memoryFiles();
    const first = await openPassport({ files, random }, search("/p"));
    expect(first).toMatchObject({ path: "/p/.darkmatter/passport.key", created: true });
    expect(await files.read(first.path)).toMatch(/^[0-9a-f]{64}\n$/);
    expect(await files.read(first.path)).toHaveLength(vectors.created_file.bytes);
    expect(files.mode(first.path)?.toString(8)).toBe(vectors.created_file.mode_octal);
    const second = await openPassport({ files, random }, search("/p"));
    expect([second.created, second.signer.agentId]).toEqual([false, first.signer.agentId]);
  });

  test("two that start at once become the same agent", async () => {
    const files = memoryFiles();
    const both = await Promise.all(
      [1, 2].map((seed) => openPassport({ files, random: seededRandom(seed) }, search("/p"))),
    );
    expect(both[0]?.signer.agentId).toBe(both[1]?.signer.agentId);
    expect(both.filter(({ created }) => created)).toHaveLength(1);
  });

  test("where nothing may be written, it says so", async () => {
    const files = memoryFiles();
    files.forbid("/p");
    await expect(openPassport({ files, random }, search("/p"))).rejects.toMatchObject({
      code: "PASSPORT_UNWRITABLE",
    });
  });
});

describe("placing", () => {
  test("another agent's passport is never overwritten, nor a damaged one; the same is left alone", async () => {
    const files = memoryFiles({
      "/other": "cd".repeat(32),
      "/same": `${SEED.toUpperCase()}\n`,
      "/damaged": "zz",
    });
    const seed = Buffer.from(SEED, "hex");
    await expect(placePassport(files, "/other", seed)).rejects.toMatchObject({ code: "PASSPORT_EXISTS" });
    await expect(placePassport(files, "/damaged", seed)).rejects.toMatchObject({ code: "PASSPORT_DAMAGED" });
    expect(await placePassport(files, "/same", seed)).toBe("same");
    expect(await placePassport(files, "/new", seed)).toBe("written");
    expect(toHex(await readPassport(files, "/new"))).toBe(SEED);
    expect(await files.read("/other")).toBe("cd".repeat(32));
  });
});
