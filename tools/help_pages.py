"""Write docs/commands.md: every command and option, from what the commands declare. tools/help_pages.py"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from fewlevels.cli.main import app
from fewlevels.cli.options import help_of

PAGE = Path(__file__).parent.parent / "docs" / "commands.md"
HEADER = """# Commands

`tools/help_pages.py` writes this page from the commands themselves; do not edit it. A default stands in brackets.
`fewlevels COMMAND --help` (or `-h`) shows the same. A command ends with exit code 0, with 1 for a failure, with 2 for a
wrong argument or file, and with 130 when it was interrupted.

"""


def commands_of(app: typer.Typer) -> list[Any]:
    """All commands, in the order of the help."""
    group: Any = typer.main.get_command(app)
    return [group.commands[name] for name in group.commands]


def page() -> str:
    """The text of docs/commands.md."""
    whole: Any = typer.main.get_command(app)
    sections = [HEADER + "\n".join(_parameters(whole))]
    for command in commands_of(app):
        arguments = [parameter.metavar for parameter in command.params if parameter.param_type_name == "argument"]
        usage = " ".join(["fewlevels", command.name, *arguments, "[OPTIONS]"])
        paragraphs = [" ".join(paragraph.split()) for paragraph in command.help.split("\n\n")]
        parts = [f"## {command.name}", *paragraphs, f"    {usage}", "\n".join(_parameters(command))]
        sections.append("\n\n".join(parts))
    return "\n\n".join(sections) + "\n"


def _parameters(command: Any) -> Iterator[str]:
    """A list item for each argument and option."""
    for parameter in command.params:
        needed = " (required)" if parameter.required else ""
        yield f"- {', '.join(_names(parameter))}{needed}: {help_of(parameter)}"


def _names(parameter: Any) -> list[str]:
    """'`--out DIR`', '`-o`': the longest name first, with what it takes."""
    if parameter.param_type_name == "argument":
        return [f"`{parameter.metavar}`"]
    longest, *others = sorted(parameter.opts, key=len, reverse=True)
    takes = "" if parameter.is_flag else f" {parameter.metavar}"
    return [f"`{longest}{takes}`", *(f"`{name}`" for name in others)]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
