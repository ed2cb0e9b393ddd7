"""One developer, one pipeline: each step is committed to oneself, then all of it is read back."""

import json
import os

from ledger_http import get, post

ME = os.environ["DARKMATTER_AGENT_ID"]
STEPS = ["collect", "summarise", "translate"]


def run_step(step):
    return f"{step}: done"


parent_id = None
for step in STEPS:
    body = {"toAgentId": ME, "payload": {"input": step, "output": run_step(step)}}
    if parent_id:
        body["parentId"] = parent_id
    ctx = post("/api/commit", body)
    parent_id = ctx["id"]

replay = get(f"/api/replay/{parent_id}")
print(json.dumps({
    "tip": parent_id,
    "outputs": [[step["step"], step["payload"]["output"]] for step in replay["replay"]],
    "chainIntact": replay["chainIntact"],
    "totalSteps": replay["totalSteps"],
}))
