"""What a messenger saves beside what all guides save: its model, which it runs at each call."""

from __future__ import annotations

import pickle
from typing import Any

_NEEDED = ("_model", "_bare_model", "init_loc_fn")


def kept_model(guide: Any) -> dict[str, Any]:
    """Those of the model and the initial strategy that can be pickled, by attribute name."""
    return {key: value for key in _NEEDED if _can_pickle(value := vars(guide).get(key))}


def _can_pickle(value: Any) -> bool:
    try:
        pickle.dumps(value)
    except Exception:  # what an object raises here is its own affair
        return False
    return True
