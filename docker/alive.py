"""Health checks of the containers; 0 is healthy.

    python docker/alive.py web|stream|worker|beat|sandbox|venue

Each asks for the work to be done, not for a process to exist, and none loads Django, which would
cost a second of processor time at every check.
"""

import os
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

# Beat writes its schedule every three minutes.
BEAT_SILENCE_SECONDS = 600
BEAT_SCHEDULE = Path("/tmp/beat")  # noqa: S108  # nosec B108  # the container's own /tmp


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=4) as answer:  # noqa: S310  # nosec B310  # our own
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError) as error:
        print(error)
        return False


def worker_replies() -> bool:
    """The worker of this container answers a ping through the broker."""
    # The web's check, every few seconds, must not pay for this.
    from celery import Celery  # noqa: PLC0415

    broker = os.environ.get("CELERY_BROKER_URL") or os.environ["REDIS_URL"]
    control = Celery(broker=broker).control
    return bool(control.ping(destination=[f"celery@{socket.gethostname()}"], timeout=4))


def beat_writes() -> bool:
    written = [path.stat().st_mtime for path in BEAT_SCHEDULE.glob("schedule*")]
    return bool(written) and time.time() - max(written) < BEAT_SILENCE_SECONDS


CHECKS = {
    "web": lambda: answers("http://127.0.0.1:8000/readyz"),
    "stream": lambda: answers("http://127.0.0.1:8001/livez"),
    "sandbox": lambda: answers("http://127.0.0.1:12111/healthz"),
    "venue": lambda: answers("http://127.0.0.1:12113/healthz"),
    "worker": worker_replies,
    "beat": beat_writes,
}

if __name__ == "__main__":
    sys.exit(0 if CHECKS[sys.argv[1]]() else 1)
