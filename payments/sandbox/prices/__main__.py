"""`python -m payments.sandbox.prices`: the sandbox as a process, until SIGTERM."""

import argparse
import signal
import sys
import threading

from payments.sandbox.prices.server import PriceSandbox


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m payments.sandbox.prices")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=12112)
    args = parser.parse_args()
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    with PriceSandbox(args.host, args.port) as sandbox:
        print(f"Price sandbox: {sandbox.coingecko_url} and {sandbox.coinmarketcap_url}", flush=True)
        stopping.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
