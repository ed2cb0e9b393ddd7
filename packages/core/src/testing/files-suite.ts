import assert from "node:assert/strict";
import type { Files } from "../files.ts";
import type { SuiteCase } from "./clock-suite.ts";

export interface FilesUnderTest {
  readonly files: Files;
  /** An absolute path to an empty folder. */
  readonly home: string;
}

/** What every `Files` keeps. */
export function filesSuite(make: () => Promise<FilesUnderTest>): readonly SuiteCase[] {
  return [
    {
      title: "a file that is not there reads as undefined and does not exist",
      async run() {
        const { files, home } = await make();
        assert.equal(await files.read(`${home}/none`), undefined);
        assert.equal(await files.exists(`${home}/none`), false);
        assert.deepEqual(await files.list(`${home}/no-folder`), []);
        await files.remove(`${home}/none`);
      },
    },
    {
      title: "replace makes missing folders and leaves nothing beside the file",
      async run() {
        const { files, home } = await make();
        await files.replace(`${home}/a/b/note`, "one");
        await files.replace(`${home}/a/b/note`, "two");
        assert.equal(await files.read(`${home}/a/b/note`), "two");
        assert.deepEqual(await files.list(`${home}/a/b`), ["note"]);
        assert.equal(await files.exists(`${home}/a/b`), true);
      },
    },
    {
      title: "create never touches a file that exists",
      async run() {
        const { files, home } = await make();
        assert.equal(await files.create(`${home}/key`, "first"), true);
        assert.equal(await files.create(`${home}/key`, "second"), false);
        assert.equal(await files.read(`${home}/key`), "first");
      },
    },
    {
      title: "of many creators of one file exactly one succeeds",
      async run() {
        const { files, home } = await make();
        const won = await Promise.all(["a", "b", "c", "d"].map((text) => files.create(`${home}/race`, text)));
        assert.equal(won.filter(Boolean).length, 1);
      },
    },
    {
      title: "a folder lists its names sorted, and a removed file is gone",
      async run() {
        const { files, home } = await make();
        await files.makeFolder(`${home}/folder/c`);
        await files.replace(`${home}/folder/b`, "");
        await files.replace(`${home}/folder/a`, "");
        assert.deepEqual(await files.list(`${home}/folder`), ["a", "b", "c"]);
        await files.remove(`${home}/folder/a`);
        assert.deepEqual(await files.list(`${home}/folder`), ["b", "c"]);
      },
    },
  ];
}
