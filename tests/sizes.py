"""How large a test is: small in `make test`, in full size in `make prove`.

`PROVE_SCALE=0.1 make prove` takes a tenth of the full size, and docs/proofs.md says so.
"""

import os
from typing import Final

PROVE: Final = os.environ.get("PROVE") == "1"
SCALE: Final = float(os.environ.get("PROVE_SCALE", "1"))
# How much longer something may take in `make test`, where many tests share a machine of any pace:
# there a bound only ends what hangs. `make prove` holds each to what is promised.
LOOSE: Final = 1 if PROVE else 10


def sized(small: int, full: int) -> int:
    """Never less than `small`, so that no scale makes a test that shows nothing."""
    return max(small, round(full * SCALE)) if PROVE else small
