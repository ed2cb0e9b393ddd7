"""A small graph of nodes, run as LangGraph runs one: a node is a function from the state to what it changes, and each
commits what it got and gave. The state carries the commit's id and the trace; two branches come together in the last.

       plan
      /    \\
 market    risks
      \\    /
      report
"""

import json
import uuid

from ledger_http import get, post


def dm_commit(payload, parent_id=None, trace_id=None, role=None, event_type=None):
    body = {"payload": payload}
    if parent_id:
        body["parentId"] = parent_id
    if trace_id:
        body["traceId"] = trace_id
    if role:
        body["agent"] = {"role": role}
    if event_type:
        body["eventType"] = event_type
    return post("/api/commit", body)["id"]


def recorded(role, work):
    """A node that also commits: state in, update out, after the commit its state names."""

    def node(state):
        update = work(state)
        payload = {"input": state, "output": update}
        ctx_id = dm_commit(payload, state["dm_ctx_id"], state["dm_trace_id"], role)
        return {**update, "dm_ctx_id": ctx_id}

    return node


def fan_in(role, work):
    """A node after several: the first is its parent, the others stand in its memory."""

    def node(state, branches):
        update = work(state)
        parents = [branch["dm_ctx_id"] for branch in branches]
        payload = {"input": state, "output": update, "memory": {"parents": parents[1:]}}
        ctx_id = dm_commit(payload, parents[0], state["dm_trace_id"], role, "merge")
        return {**update, "dm_ctx_id": ctx_id}

    return node


plan = recorded("planner", lambda state: {"questions": ["market", "risks"]})
market = recorded("market analyst", lambda state: {"market": f"{state['input']}: growing"})
risks = recorded("risk analyst", lambda state: {"risks": f"{state['input']}: few"})
report = fan_in("writer", lambda state: {"output": f"{state['market']}; {state['risks']}"})

state = {"input": "heat pumps", "output": None, "dm_ctx_id": None, "dm_trace_id": f"trc_{uuid.uuid4().hex}"}
state.update(plan(state))
branches = [market(state), risks(state)]
for update in branches:
    state.update(update)
state.update(report(state, branches))

replay = get(f"/api/replay/{state['dm_ctx_id']}")
print(json.dumps({
    "trace": state["dm_trace_id"],
    "branches": [update["dm_ctx_id"] for update in branches],
    "roles": [step["createdBy"]["role"] for step in replay["replay"]],
    "events": [step["eventType"] for step in replay["replay"]],
    "last": replay["replay"][-1]["payload"],
    "chainIntact": replay["chainIntact"],
    "inTrace": get(f"/api/search?traceId={state['dm_trace_id']}")["total"],
}))
