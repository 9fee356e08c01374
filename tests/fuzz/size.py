"""How many calls are made up."""

import os
from typing import Final

CASES: Final = int(os.environ.get("FUZZ_CASES", "760"))
# From here on they are new ones each time, and the summary has a line for each operation.
MANY: Final = 5000
