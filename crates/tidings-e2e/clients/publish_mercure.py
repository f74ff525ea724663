"""Publishes with mercure-publisher, which makes its token itself.

    python publish_mercure.py HUB_URL KEY < UPDATES

One JSON object a line on stdin, as for publish_symfony.php. Prints the id of each on a line of its own; exits with 1 at
the first refusal.
"""

import json
import sys

import httpx
from mercure_publisher import MercureConfig, MercurePublisher, MercurePublishError


def publish(url: str, key: str) -> int:
    config = MercureConfig(hub_url=url, publisher_jwt_key=key, publish_topics=["*"])
    with MercurePublisher(config, httpx.Client(timeout=10, trust_env=False)) as publisher:
        for line in sys.stdin:
            update = json.loads(line)
            try:
                answer = publisher.publish(
                    update["topics"],
                    update.get("data", ""),
                    private=update.get("private", False),
                    id=update.get("id"),
                    type=update.get("type"),
                    retry=update.get("retry"),
                )
            except MercurePublishError as refusal:
                print(f"error: {refusal}: {refusal.response_body}", file=sys.stderr)
                return 1
            print(answer, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(publish(sys.argv[1], sys.argv[2]))
