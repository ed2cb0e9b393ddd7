"""A crew whose tasks are committed as they end: the callback gets a task's output and names the commit before as parent.
"""

import json
import os
from collections import namedtuple

from ledger_http import get, post

ME = os.environ["DARKMATTER_AGENT_ID"]
Task = namedtuple("Task", "description agent")
TaskOutput = namedtuple("TaskOutput", "description agent raw")


class Crew:
    """What matters here of a crew: its tasks end one after the other, and each end is told."""

    def __init__(self, tasks, task_callback):
        self.tasks, self.task_callback = tasks, task_callback

    def kickoff(self):
        for task in self.tasks:
            self.task_callback(TaskOutput(task.description, task.agent, f"{task.agent} is done"))


class Recorder:
    def __init__(self, trace_id):
        self.trace_id, self.last_ctx_id = trace_id, None

    def __call__(self, output):
        ctx = post("/api/commit", {
            "toAgentId": ME,
            "payload": {"input": output.description, "output": output.raw},
            "agent": {"role": output.agent, "provider": "crewai"},
            "parentId": self.last_ctx_id,
            "traceId": self.trace_id,
        })
        self.last_ctx_id = ctx["id"]


recorder = Recorder("trc_crew")
Crew([
    Task("Find what changed in the market", "Senior Research Analyst (EMEA)"),
    Task("Write it up for the board", "Writer, née Researcher"),
], recorder).kickoff()

proof = get(f"/api/verify/{recorder.last_ctx_id}")
replay = get(f"/api/replay/{recorder.last_ctx_id}")
print(json.dumps({
    "chain_intact": proof["chain_intact"],
    "length": proof["length"],
    "root_hash": proof["root_hash"],
    "tip_hash": proof["tip_hash"],
    "report": [[step["createdBy"]["role"], step["createdBy"]["provider"], step["payload"]["output"]]
               for step in replay["replay"]],
}))
