"""The instruction set of the kernels, for whatever a test runs."""

import sys
from collections.abc import Callable
from typing import Any


def use_instruction_set(name: str, set_attribute: Callable[[Any, str, str], None] = setattr) -> None:
    """In every module that calls kernels. set_attribute: `monkeypatch.setattr`, where it is to end with a test."""
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("fewlevels.") and hasattr(module, "INSTRUCTION_SET"):
            set_attribute(module, "INSTRUCTION_SET", name)
