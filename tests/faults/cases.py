"""What a task is called with, and what it could change."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Case:
    """One call of a task, and what it could change, read again at each call of `state`."""

    state: Callable[[], Any]
    payload: dict[str, Any] = field(default_factory=dict)


Prepare = Callable[[Any], Case]
