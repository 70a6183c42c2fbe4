"""Page: one self-contained HTML page from a template; what a user named is data in it."""

from __future__ import annotations

import base64
from importlib import resources

from fewlevels.common.words import in_page


def render(template: str, **values: object) -> bytes:
    """The page that a file of templates/ makes of these values."""
    import jinja2

    text = (resources.files("fewlevels") / "reporting" / "templates" / template).read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=in_page
    )
    return environment.from_string(text).render(**values).encode()


def image_data(png: bytes) -> str:
    """A picture as text, for the address of an image."""
    return base64.b64encode(png).decode()
