"""Callers in a process of their own, told by lines of JSON on stdin what to ask for and how long.

    {"port": …, "seconds": 4.0, "threads": 16, "once": false, "carry": "", "calls": [["GET /…"]]}

A call is one or more whole requests that are sent one after the other and count as one: its
status is the last one's, its time that of all. `carry` is an expression whose group in an answer,
a number, goes into the next request where that has ten zeros. Each thread is a caller with a
connection and a share of the calls of his own, taken in turn; `once`: until each was made once.
Answers with one line: how often each status came, every call's milliseconds, and the seconds that
all took.
"""

import json
import re
import socket
import sys
import threading
import time
from collections import Counter
from typing import Any

SLOT = b"0000000000"


def answer(link: socket.socket) -> bytes:
    """One whole answer. Raises ConnectionError where the server hangs up."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _some(link)
    start = data.lower().find(b"content-length:", 0, end)
    length = int(data[start + 15 : data.find(b"\r\n", start)]) if start > 0 else 0
    while len(data) < end + 4 + length:
        data += _some(link)
    return data


def _some(link: socket.socket) -> bytes:
    part = link.recv(65536)
    if not part:
        raise ConnectionError("the server hung up")
    return part


def caller(job: dict[str, Any], calls: list[list[bytes]], ends: float, out: list[Any]) -> None:
    statuses: Counter[str] = Counter()
    times: list[float] = []
    link = socket.create_connection(("127.0.0.1", job["port"]))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    turn = 0
    while (started := time.perf_counter()) < ends and not (job["once"] and turn >= len(calls)):
        carried = SLOT
        for request in calls[turn % len(calls)]:
            link.sendall(request.replace(SLOT, carried))
            data = answer(link)
            if job["carry"] and (found := re.search(job["carry"].encode(), data)):
                carried = found[1].zfill(len(SLOT))
        times.append(round((time.perf_counter() - started) * 1000, 3))
        statuses[data[9:12].decode()] += 1
        turn += 1
    link.close()
    out.append((statuses, times))


def rush(job: dict[str, Any]) -> dict[str, Any]:
    out: list[Any] = []
    calls = [[request.encode() for request in call] for call in job["calls"]]
    started = time.perf_counter()
    shares = [calls[n :: job["threads"]] for n in range(job["threads"])]
    crowd = [
        threading.Thread(target=caller, args=(job, share, started + job["seconds"], out))
        for share in shares
        if share
    ]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    took = time.perf_counter() - started
    total: Counter[str] = Counter()
    for statuses, _ in out:
        total += statuses
    return {"statuses": total, "times": [ms for _, times in out for ms in times], "took": took}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(rush(json.loads(line))), flush=True)
