import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import type { Machine } from "../machine.ts";
import { type Scenario, type Stage, scenario, shown } from "./stage.ts";

const pairOf = ({ machines }: Stage) => machines as unknown as [Machine, Machine, Machine];

/** The slow loops of mesh.md 9.2. */
export const LOOPS: readonly Scenario[] = [
  scenario(
    "reactivated",
    "an inactive agent is active again by itself, and gets what waited",
    async (stage) => {
      const [one, other] = pairOf(stage);
      await stage.call(other, "set_status", { status: "inactive", duration_minutes: 1 });
      const answer = await stage.call(one, "send_message", {
        content: "are you there?",
        target_agent_id: other.id,
      });
      await stage.pass(70 * SECOND_MS);
      const { text } = await stage.call(other, "status");
      if (!String(text).includes("active") || String(text).includes("inactive"))
        stage.problem(`its status is ${String(text).slice(0, 200)}`);
      if (answer.state === "queued") await stage.mustArrive(other, String(answer.message_id), 3 * MINUTE_MS);
    },
  ),

  scenario(
    "disliked",
    "a peer scored below zero for an hour is disconnected",
    async (stage) => {
      const [one, other] = pairOf(stage);
      await stage.call(one, "set_impression", { agent_id: other.id, score: -0.5, note: "rude" });
      await stage.pass(30 * MINUTE_MS);
      if (!(await shown(stage, one, other))) stage.problem("it was disconnected too soon");
      await stage.must("it is disconnected", 35 * MINUTE_MS, async () => !(await shown(stage, one, other)));
    },
    true,
  ),

  scenario("upgraded", "a connection goes over to a channel once both can", async (stage) => {
    const [one, other] = [await stage.add({ channels: true }), await stage.add({ channels: true })];
    await stage.connect(one, other);
    await stage.must("the connection is a channel", 5 * MINUTE_MS, async () => {
      const connection = await shown(stage, one, other);
      return connection?.transport === "webrtc";
    });
  }),

  scenario(
    "inbox-cleared",
    "messages nobody answered within their hour leave the inbox",
    async (stage) => {
      const [one, other] = pairOf(stage);
      await stage.mustArrive(other, await stage.send(one, other), 5 * SECOND_MS);
      await stage.pass(62 * MINUTE_MS);
      const { total } = await stage.call(other, "list_inbox");
      if (total !== 0) stage.problem(`${total} messages are left`);
    },
    true,
  ),
];
