"""Plain HTTP to a ledger, as a program without an SDK speaks it; server and key come from the environment."""

import json
import os
import urllib.request

URL = os.environ["DARKMATTER_URL"]
KEY = os.environ["DARKMATTER_API_KEY"]


def post(path, body):
    return _ask(path, json.dumps(body).encode())


def get(path):
    return _ask(path)


def _ask(path, body=None):
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(URL + path, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read())
