"""Can a stopwatch tell registered addresses from others? Signs in and asks for resets, 200 times.

    THROTTLE_FACTOR=1000 RATE_LIMIT_FACTOR=1000 make run
    python benchmarks/login_timing.py http://127.0.0.1:8000 layla@example.com [tries]

Prints the medians for the address given, which has to be registered, and for one that is not, in
turn so that a change of load meets both. Exit code 1 where they are 10 ms or more apart, 2 where
an answer is not the expected one.
"""

import http.client
import json
import statistics
import sys
import time
from urllib.parse import urlsplit

LIMIT_MS = 10.0
CALLS = {
    "sign in": ("/api/v1/auth/token/", {"password": "not-the-password"}, 401),
    "reset": ("/api/v1/auth/password/reset/", {}, 204),
}


def milliseconds(host: str, path: str, body: dict[str, str], expected: int) -> float:
    """The time of one call on a connection of its own, from sending to the whole answer."""
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.connect()
    started = time.perf_counter()
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    took = (time.perf_counter() - started) * 1000
    connection.close()
    if answer.status != expected:
        print(f"POST {path}: {answer.status} instead of {expected}")
        sys.exit(2)
    return took


def medians(host: str, call: str, known: str, tries: int) -> tuple[float, float]:
    path, body, expected = CALLS[call]
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(tries):
        unknown = f"nobody-{time.time_ns()}@example.com"
        # Each goes first in turn.
        for is_known in (number % 2 == 0, number % 2 == 1):
            email = known if is_known else unknown
            times[is_known].append(milliseconds(host, path, {"email": email, **body}, expected))
    return statistics.median(times[True]), statistics.median(times[False])


def main(base: str, known: str, tries: str = "200") -> int:
    worst = 0.0
    for call in CALLS:
        registered, other = medians(urlsplit(base).netloc, call, known, int(tries))
        worst = max(worst, abs(registered - other))
        print(
            f"{call:8} registered {registered:6.1f} ms, unknown {other:6.1f} ms, "
            f"apart {abs(registered - other):.2f} ms (medians of {tries})"
        )
    return 1 if worst >= LIMIT_MS else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
