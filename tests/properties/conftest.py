"""Makes the helpers of the golden cases importable here."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "golden"))
