"""Writers without a shop, in a process of their own that is told what to do as `buyers.py` is.

    raw.py mysql    {"seconds": 4.0, "threads": 32, "calls": [["16", "INSERT …", "UPDATE …"]]}
    raw.py redis    {"seconds": 4.0, "threads": 32, "calls": [["a script", "key 1", …, "key 5"]]}

Each thread has a connection of its own, kept from job to job, and does the first call over and
over. DATABASE_URL and REDIS_URL say where. Answers as buyers.py does: 200 for each purchase that
was written, MySQL's number of the error for those that were not; milliseconds of each transaction.
"""

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any, Final
from urllib.parse import urlsplit

import MySQLdb
import redis

# No other process counts the same, and a hundred times as much is a BIGINT still.
NUMBERS: Final = count(os.getpid() * 1_000_000)
# Odd, so that no two numbers below 2^48 are scattered to the same place.
SCATTER: Final = 0x9E3779B97F4A7C15
Turn = Callable[[], Counter[str]]


def connect(**more: Any) -> Any:
    """To the MySQL of DATABASE_URL; a transaction is open until it is ended."""
    url = urlsplit(os.environ["DATABASE_URL"])
    return MySQLdb.connect(
        host=url.hostname,
        port=url.port,
        user=url.username,
        password=url.password,
        database=url.path.strip("/"),
        charset="utf8mb4",
        **more,
    )


def facts(purchases: int) -> dict[str, int | str]:
    """For each purchase a new number, `n0`, and twelve digits that rise with nothing, `h0`."""
    found: dict[str, int | str] = {}
    for place in range(purchases):
        number = next(NUMBERS)
        found[f"n{place}"] = number
        found[f"h{place}"] = f"{number * SCATTER % 2**48:012x}"
    return found


def purchases_of(call: list[str], number: int) -> Turn:
    """One transaction of so many purchases: statements with places for the facts of each."""
    link, purchases, statements = mysql_link(number), int(call[0]), call[1:]

    def turn() -> Counter[str]:
        known = facts(purchases)
        try:
            for statement in statements:
                link.query(statement % known)
            link.commit()
        except MySQLdb.Error as error:
            link.rollback()
            return Counter({str(error.args[0]): purchases})
        return Counter({"200": purchases})

    return turn


def reservation_of(call: list[str], number: int) -> Turn:
    """A unit claimed by the gate's script, and its journal's entry taken back: two round trips."""
    link = redis_link(number)
    script, *keys = call

    def turn() -> Counter[str]:
        link.send_command("EVAL", script, len(keys), *keys, 1, 1)
        units = link.read_response()[2]
        if not units:
            return Counter({"409": 1})
        link.send_command("ZREM", keys[2], units[0])
        return Counter({"200": link.read_response()})

    return turn


@cache
def mysql_link(_number: int) -> Any:
    return connect()


@cache
def redis_link(_number: int) -> Any:
    return redis.Redis.from_url(os.environ["REDIS_URL"]).connection_pool.get_connection()


def writer(turn: Turn, ends: float, out: list[Any]) -> None:
    statuses: Counter[str] = Counter()
    times: list[float] = []
    while (started := time.perf_counter()) < ends:
        statuses += turn()
        times.append(round((time.perf_counter() - started) * 1000, 3))
    out.append((statuses, times))


def rush(job: dict[str, Any], kind: Callable[[list[str], int], Turn]) -> dict[str, Any]:
    out: list[Any] = []
    turns = [kind(job["calls"][0], number) for number in range(job["threads"])]
    started = time.perf_counter()
    ends = started + job["seconds"]
    crowd = [threading.Thread(target=writer, args=(turn, ends, out)) for turn in turns]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    took = time.perf_counter() - started
    total = sum((statuses for statuses, _ in out), Counter[str]())
    return {"statuses": total, "times": [ms for _, times in out for ms in times], "took": took}


if __name__ == "__main__":
    work = {"mysql": purchases_of, "redis": reservation_of}[sys.argv[1]]
    for line in sys.stdin:
        print(json.dumps(rush(json.loads(line), work)), flush=True)
