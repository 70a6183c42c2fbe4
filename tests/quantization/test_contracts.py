"""Every quantizer holds what a quantizer promises."""

from __future__ import annotations

import pytest

from tests.support.quantizer_contracts import CHECKS, ROWS


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", ROWS)
def test_a_quantizer_holds_what_it_promises(name: str, check: str) -> None:
    CHECKS[check](ROWS[name])
