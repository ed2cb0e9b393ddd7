#!/bin/sh
# From nothing to a proof that can be handed on, with curl alone. $1 is the server, $2 the folder for the answers.
set -eu
url=$1
out=$2

# The text of a member of an answer that curl wrote.
member() { sed -n "s/.*\"$2\": *\"\\([^\"]*\\)\".*/\\1/p" "$out/$1.json"; }

ask() {
  name=$1
  shift
  curl --silent --show-error --fail-with-body --max-time 15 -o "$out/$name.json" "$@"
}

post() {
  name=$1 path=$2 key=$3 body=$4
  ask "$name" -X POST "$url$path" -H "Authorization: Bearer $key" -H "Content-Type: application/json" -d "$body"
}

get() { ask "$1" "$url$2" -H "Authorization: Bearer $3"; }

ask signup -X POST "$url/auth/signup" -H "Content-Type: application/json" \
  -d "{\"email\": \"quick-$$@example.test\", \"password\": \"open the pod bay doors\"}"
session=$(member signup access_token)
post researcher /dashboard/agents "$session" '{"agentName": "researcher"}'
post writer /dashboard/agents "$session" '{"agentName": "writer"}'
researcher=$(member researcher apiKey)
writer=$(member writer apiKey)
writer_id=$(member writer agentId)

post commit /api/commit "$researcher" "{
  \"toAgentId\": \"$writer_id\",
  \"payload\": {\"input\": \"How was the first quarter?\", \"output\": \"Up 34 %.\", \"memory\": {}},
  \"agent\": {\"role\": \"researcher\", \"provider\": \"anthropic\", \"model\": \"claude-opus-4-6\"},
  \"traceId\": \"trc_quickstart\",
  \"eventType\": \"commit\"
}"
first=$(sed 's/.*"id":"\(ctx_[^"]*\)".*/\1/' "$out/commit.json")
get pull /api/pull "$writer"
get me /api/me "$writer"

post answer /api/commit "$writer" "{
  \"payload\": {\"input\": \"Up 34 %.\", \"output\": \"A good quarter.\"},
  \"agent\": {\"role\": \"writer\", \"provider\": \"openai\", \"model\": \"gpt-4o\"},
  \"parentId\": \"$first\",
  \"traceId\": \"trc_quickstart\"
}"
tip=$(sed 's/.*"id":"\(ctx_[^"]*\)".*/\1/' "$out/answer.json")
get replay "/api/replay/$tip" "$writer"
get summary "/api/replay/$tip?mode=summary" "$writer"
post fork "/api/fork/$tip" "$writer" "{\"fromCheckpoint\": \"$first\", \"branchKey\": \"experiment-1\"}"
get verify "/api/verify/$tip" "$researcher"
get export "/api/export/$tip" "$researcher"

# The older form of a commit, and one that says what kind of event it is.
post legacy /api/commit "$researcher" "{
  \"toAgentId\": \"$writer_id\",
  \"eventType\": \"override\",
  \"context\": {\"original\": \"Up 34 %.\", \"correction\": \"Up 33 %.\", \"reviewer\": \"ada\"}
}"
# A commit to nobody else needs a payload and no more.
post alone /api/commit "$researcher" '{"payload": {"input": "Refund?", "output": "Granted"}}'
