"""Page: one self-contained HTML page from a template; what a user named is data in it."""

from __future__ import annotations

import base64
from importlib import resources

from fewlevels.common.words import in_page


def render(template: str, **values: object) -> bytes:
    """The page that a file of templates/ makes of these values, within page.html."""
    import jinja2

    folder = resources.files("fewlevels") / "reporting" / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=in_page,
    )
    return environment.get_template(template).render(**values).encode()


def image_data(png: bytes) -> str:
    """A picture as text, for the address of an image."""
    return base64.b64encode(png).decode()
