"""`python -m payments.sandbox.stripe`: the sandbox as a process, until SIGTERM."""

import argparse
import os
import signal
import sys
import threading

from payments.sandbox.stripe.server import DEFAULT_SECRET, StripeSandbox


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m payments.sandbox.stripe")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=12111)
    parser.add_argument("--db", default="stripe-sandbox.sqlite3", help="SQLite file")
    parser.add_argument("--webhook-url", help="where events go; without it they stay queued")
    parser.add_argument(
        "--webhook-secret", default=os.environ.get("STRIPE_WEBHOOK_SECRET") or DEFAULT_SECRET
    )
    parser.add_argument("--public-url", default="", help="how a browser reaches this server")
    parser.add_argument("--settle-seconds", type=float, default=2.0)
    parser.add_argument(
        "--open-controls", action="store_true", help="answer /_sandbox/ to any client"
    )
    return parser.parse_args()


def main() -> int:
    args = arguments()
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    sandbox = StripeSandbox(
        args.db,
        args.webhook_url,
        args.webhook_secret,
        args.host,
        args.port,
        open_controls=args.open_controls,
        public_url=args.public_url,
        settle_seconds=args.settle_seconds,
    )
    with sandbox:
        print(f"Stripe sandbox listening on {sandbox.url}", flush=True)
        stopping.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
