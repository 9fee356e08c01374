"""`python -m payments.sandbox.venue`: the sandbox as a process, until SIGTERM."""

import argparse
import os
import signal
import sys
import threading

from payments.sandbox.venue.server import VenueSandbox


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m payments.sandbox.venue")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=12113)
    parser.add_argument("--db", default="venue-sandbox.sqlite3", help="SQLite file")
    parser.add_argument("--key", default=os.environ.get("EXCHANGE_VENUE_KEY", ""))
    args = parser.parse_args()
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    with VenueSandbox(args.db, args.host, args.port, key=args.key) as sandbox:
        print(f"Exchange venue sandbox listening on {sandbox.url}", flush=True)
        stopping.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
