"""What the shop's speed is measured by: `make bench`."""

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
# The programs that start servers are no package.
sys.path.insert(0, str(ROOT / ".ci"))
