"""`make run`: the whole shop in one process, with no server beside it.

Web server, Celery worker, beat, and the sandboxes of Stripe and of the exchange venue are threads;
state is in `var/`.
"""

import argparse
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

HOST: Final = "127.0.0.1"
THREADS: Final = 16


def main() -> None:
    started = time.monotonic()
    port = _arguments().port
    _require_free(port)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.embedded"
    os.environ.setdefault("PUBLIC_URL", f"http://{HOST}:{port}")
    os.environ.setdefault("STRIPE_SANDBOX_PORT", str(_free_port(near=port + 1)))
    # Above the other one's, which nobody listens at yet.
    above = int(os.environ["STRIPE_SANDBOX_PORT"]) + 1
    os.environ.setdefault("EXCHANGE_VENUE_PORT", str(_free_port(near=above)))
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    import django  # noqa: PLC0415  # the settings read the environment set above

    django.setup()
    _serve(port, started)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    return parser.parse_args()


def _require_free(port: int) -> None:
    if not _is_free(port):
        sys.exit(f"Port {port} is taken; choose another: make run PORT={port + 100}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port(*, near: int) -> int:
    return next(port for port in range(near, near + 200) if _is_free(port))


_at_interrupt: list[Callable[[], None]] = []
_while_it_serves: list[Callable[[], None]] = []


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    if _while_it_serves:
        stop = _while_it_serves.pop()
        threading.Thread(target=_wind_down, args=(stop,), daemon=True).start()
        return
    for close in _at_interrupt:
        close()
    raise KeyboardInterrupt


def _wind_down(stop: Callable[[], None]) -> None:
    """Tasks may be asking the chain of this very server, which has to answer until they end."""
    try:
        print("\nStopping.", flush=True)
        stop()
    finally:
        os.kill(os.getpid(), signal.SIGINT)


def _serve(port: int, started: float) -> None:
    # Imported after django.setup(): all of these import models.
    from django.conf import settings  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from waitress.server import create_server  # noqa: PLC0415

    from config.wsgi import application  # noqa: PLC0415
    from payments.market.live import inline as prices  # noqa: PLC0415
    from shop.flash_sales.live import inline  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    sandboxes = _start_sandboxes(port)
    call_command("seed_demo")
    stop_worker = _start_worker()
    threads = THREADS + settings.STREAM_INLINE
    server = create_server(application, host=HOST, port=port, threads=threads, ident="souk")
    _announce(port, time.monotonic() - started)
    # The server waits for its threads before it ends, and those of streams wait for events.
    _at_interrupt.extend((inline.loop.close, prices.close))
    _while_it_serves.append(stop_worker)
    try:
        server.run()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()
        for sandbox in sandboxes:
            sandbox.stop()


def _start_sandboxes(port: int) -> list[Any]:
    """Those of the outside world that nothing of one's own takes the place of."""
    from django.conf import settings  # noqa: PLC0415

    from payments.sandbox.stripe import StripeSandbox  # noqa: PLC0415
    from payments.sandbox.venue import VenueSandbox  # noqa: PLC0415

    sandboxes: list[Any] = []
    if settings.STRIPE_SANDBOX:
        stripe = StripeSandbox(
            settings.STATE_DIR / "stripe.sqlite3",
            webhook_url=f"http://{HOST}:{port}/webhooks/stripe/",
            webhook_secret=settings.STRIPE_WEBHOOK_SECRETS[0],
            host=HOST,
            port=settings.STRIPE_SANDBOX_PORT,
        )
        sandboxes.append(stripe)
    if settings.EXCHANGE_VENUE_SANDBOX:
        path = settings.STATE_DIR / "venue.sqlite3"
        sandboxes.append(VenueSandbox(path, HOST, settings.EXCHANGE_VENUE_PORT))
    for sandbox in sandboxes:
        sandbox.start()
    return sandboxes


def _start_worker() -> Any:
    """A Celery worker and beat as threads: the in-memory broker belongs to this process."""
    from celery.beat import EmbeddedService, Scheduler  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415

    from config.celery import app  # noqa: PLC0415

    app.conf.broker_pool_limit = None
    worker = app.WorkController(
        pool="threads", concurrency=4, queues=",".join(settings.QUEUES), loglevel="WARNING"
    )
    # Any: the stubs do not know that `thread=True` makes it a thread, not a process.
    beat: Any = EmbeddedService(app, thread=True, scheduler_cls=Scheduler)
    threading.Thread(target=worker.start, name="worker", daemon=True).start()
    beat.daemon = True
    beat.start()

    def stop() -> None:
        beat.stop()
        worker.stop()

    return stop


def _announce(port: int, seconds: float) -> None:
    url = f"http://{HOST}:{port}"
    print(
        f"""
Souk runs at {url} (started in {seconds:.1f} s; Ctrl-C ends it)

  shop       {url}/
  products   {url}/api/v1/products/
  API docs   {url}/api/docs/   {url}/api/redoc/
  admin      {url}/admin/

  staff      testuser / password123
  customer   layla@example.com / demo-password-1

  first call
  curl -s {url}/api/v1/products/lamp/
""",
        flush=True,
    )


if __name__ == "__main__":
    main()
