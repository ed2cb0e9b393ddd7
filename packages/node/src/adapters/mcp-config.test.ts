import { expect, test } from "vitest";
import { mcpConfigs, sessionLaunch } from "./mcp-config.ts";

const agent = { passportPath: "/p/.darkmatter/passport.key", home: "/h" } as Parameters<typeof mcpConfigs>[0];

test.each(["http://127.0.0.1:8100", "http://[::1]:8100"])("at %s a client may also use HTTP", (url) => {
  expect(mcpConfigs(agent, url).http).toEqual({
    mcpServers: { darkmatter: { type: "http", url: `${url}/mcp` } },
  });
});

test("a node that listens on another address shows no HTTP configuration, which it would refuse", () => {
  expect(mcpConfigs(agent, "http://192.168.1.20:8100").http).toBeUndefined();
});

test("the client's session gets the node's settings, and no secret", () => {
  const settings = { DARKMATTER_HOST: "192.168.1.20", DARKMATTER_PASSPHRASE: "secret", PATH: "/bin" };
  expect(mcpConfigs(agent, "http://192.168.1.20:8100", settings).stdio).toMatchObject({
    mcpServers: {
      darkmatter: {
        env: {
          DARKMATTER_HOST: "192.168.1.20",
          DARKMATTER_PASSPORT: "/p/.darkmatter/passport.key",
          DARKMATTER_HOME: "/h",
        },
      },
    },
  });
  expect(JSON.stringify(mcpConfigs(agent, "http://127.0.0.1:8100", settings))).not.toMatch(/secret|PATH/);
});

test("no secret of a ledger server is passed on, and an API key is written down but not shown", () => {
  const settings = {
    DARKMATTER_LEDGER_URL: "http://127.0.0.1:5002",
    DARKMATTER_API_KEY: "secret key",
    DARKMATTER_LOG_KEY: "secret",
    DARKMATTER_LOG_KEY_FILE: "secret",
    DARKMATTER_LOG_KEYS_FORMER: "secret",
    DARKMATTER_LEDGER_ADMIN_SECRET: "secret",
    DARKMATTER_LEDGER_DATABASE: "secret",
  };
  expect(sessionLaunch(agent, settings).env).toEqual({
    DARKMATTER_LEDGER_URL: "http://127.0.0.1:5002",
    DARKMATTER_API_KEY: "secret key",
    DARKMATTER_PASSPORT: "/p/.darkmatter/passport.key",
    DARKMATTER_HOME: "/h",
  });
  const shown = mcpConfigs(agent, "http://127.0.0.1:8100", settings);
  expect(JSON.stringify(shown)).not.toContain("secret");
  expect(shown.hidden).toBe("DARKMATTER_API_KEY");
});
