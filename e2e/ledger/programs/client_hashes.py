"""A client that hashes what it commits and threads its commits itself, and checks an export by the same rules: the
server must find nothing to warn of, and its export must hold without it."""

import hashlib
import json
import os
import time

from ledger_http import get, post

ME = os.environ["DARKMATTER_AGENT_ID"]


def digest(value):
    """Of values whose numbers are whole; for those this is the ledger's canonical text."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def envelope_of(payload_hash, parent_hash, agent_id, key_id, timestamp):
    return {
        "schema_version": "2",
        "agent_id": agent_id,
        "key_id": key_id,
        "timestamp": timestamp,
        "payload_hash": payload_hash,
        "parent_integrity_hash": parent_hash or "root",
    }


class Thread:
    """Knows the commit before, and its hash."""

    def __init__(self):
        self.last_id, self.last_hash = None, None

    def commit(self, payload, parent_id=None):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        # With a parent that the caller names, the hash before is not known here.
        before = None if parent_id else self.last_hash
        envelope = envelope_of(digest(payload), before, ME, "default", now)
        body = {
            "toAgentId": ME,
            "payload": payload,
            "payload_hash": envelope["payload_hash"],
            "integrity_hash": digest(envelope),
            "envelope": envelope,
        }
        if parent_id or self.last_id:
            body["parentId"] = parent_id or self.last_id
        ctx = post("/api/commit", body)
        self.last_id, self.last_hash = ctx["id"], body["integrity_hash"]
        return ctx


def first_broken(commits):
    """The first commit of an export, root first, whose hashes are not those of its content and the one before."""
    before = None
    for commit in commits:
        payload_hash = digest(commit["payload"])
        envelope = envelope_of(payload_hash, before, commit["agent_id"], commit["key_id"], commit["timestamp"])
        before = digest(envelope)
        if (commit["payload_hash"], commit["integrity_hash"]) != (f"sha256:{payload_hash}", f"sha256:{before}"):
            return commit["id"]
    return None


thread = Thread()
payloads = [
    {"output": "überprüft \U0001f600", "nested": {"z": [1, None, True], "a": {"\U0001f600": 1, "\uff01": 2}}},
    {"output": "line\u2028two", "big": 12345678901234567890123},
    {},
]
threaded = [thread.commit(payload) for payload in payloads]
export = get(f"/api/export/{thread.last_id}")["commits"]
sound = first_broken(export)
export[1]["payload"]["output"] = "line two"
named = thread.commit({"output": "after a parent by name"}, threaded[0]["id"])
print(json.dumps({
    "warnings": [ctx.get("_warnings") for ctx in threaded],
    "matches": [ctx["integrity_v2"]["client_match"] for ctx in threaded],
    "parents": [ctx["parent_id"] for ctx in threaded],
    "ids": [ctx["id"] for ctx in threaded],
    "sound": sound,
    "altered": first_broken(export),
    "named": [named["parent_id"], named["integrity_v2"]["client_match"], named["_warnings"]],
}))
