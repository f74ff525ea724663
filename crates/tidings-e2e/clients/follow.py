"""Follows a stream with httpx-sse and prints what it decodes.

    python follow.py URL COUNT [TOKEN]

One JSON value a line: {"opened": true} once, {"event": {...}} for each event but the hub's own
(`tidings.…`). Ends by itself after COUNT events; exits with 1 when the stream ends before.
"""

import json
import sys

import httpx
from httpx_sse import connect_sse


def say(value: dict) -> None:
    print(json.dumps(value), flush=True)


def follow(url: str, count: int, token: str | None) -> int:
    seen = 0
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # No time-out here: the test that started this has the deadline.
    with (
        httpx.Client(timeout=None, trust_env=False) as client,
        connect_sse(client, "GET", url, headers=headers) as source,
    ):
        source.response.raise_for_status()
        say({"opened": True})
        for event in source.iter_sse():
            if event.event.startswith("tidings."):
                continue
            say(
                {
                    "event": {
                        "type": event.event,
                        "data": event.data,
                        "id": event.id,
                        "retry": event.retry,
                    }
                }
            )
            seen += 1
            if seen == count:
                return 0
    print(f"error: the stream ended after {seen} of {count} events", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(follow(sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None))
