"""Extras: libraries that only some of the work needs."""

from __future__ import annotations

import importlib.util

from fewlevels.errors import FewlevelsError


def require(extra: str, modules: tuple[str, ...], purpose: str, error: type[FewlevelsError]) -> None:
    """Raises `error` where a library of an extra is missing. purpose: what needs it, the sentence's subject."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise error(f"{purpose} needs {' and '.join(missing)}: pip install 'fewlevels[{extra}]'")
