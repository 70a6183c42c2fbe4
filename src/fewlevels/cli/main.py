"""Command line: parse, call, print, exit code; nothing else."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated, Any

import typer

from fewlevels import __version__
from fewlevels.cli.circuit import netlist, simulate, verify
from fewlevels.cli.devices import devices
from fewlevels.cli.fit import fit
from fewlevels.cli.interrupt import INTERRUPTED, leave, leaving_soon
from fewlevels.cli.network import network
from fewlevels.cli.options import Command
from fewlevels.cli.output import ShownStream
from fewlevels.cli.plan import plan
from fewlevels.cli.search import search
from fewlevels.cli.study import report, show, study
from fewlevels.cli.train import train
from fewlevels.common.words import printable
from fewlevels.errors import FewlevelsError, FewlevelsWarning, UsageError

app = typer.Typer(
    name="fewlevels",
    help="How few conductance levels does a neural network need, and which ones?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

LONGEST_ERROR = 2000
ParseError: Any = typer.BadParameter.__base__


def _version(wanted: bool) -> None:
    if wanted:
        print(f"fewlevels {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


for command in (study, plan, report, show, simulate, netlist, verify, search, devices, fit, network, train):
    app.command(cls=Command)(command)


@leaving_soon()
def main() -> None:
    """The `fewlevels` command: exit code 2 for usage, 1 for failure, 130 when interrupted."""
    sys.stdout, sys.stderr = ShownStream(sys.stdout), ShownStream(sys.stderr)
    warnings.formatwarning = _in_words
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()  # what cannot be written is said below
        if code == INTERRUPTED:  # what newer typers make of Ctrl-C
            raise KeyboardInterrupt
        sys.exit(code)
    except FewlevelsError as error:
        if "--debug" in sys.argv:
            raise
        _say(f"{error}")
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except ParseError as error:
        if len(sys.argv) == 1:
            print(error.format_message())  # the help
        else:
            _say(f"{error.format_message()} See 'fewlevels --help'.")
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        leave()
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        _drop_output()
        sys.exit(1)
    except (MemoryError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        what = "not enough memory" if isinstance(error, MemoryError) else "the system refuses"
        _say(f"{what}: {error or 'ask for less'}")
        _drop_output()
        sys.exit(1)


def _say(message: str) -> None:
    """One line on standard error, whatever is named in the message."""
    print(f"fewlevels: {printable(message, LONGEST_ERROR)}", file=sys.stderr)


def _in_words(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Of a warning that is ours, its sentence; of another, where it comes from, too."""
    where = "" if issubclass(category, FewlevelsWarning) else f"{filename}:{lineno}: {category.__name__}: "
    return f"fewlevels: {printable(where + str(message), LONGEST_ERROR)}\n"


def _drop_output() -> None:
    """Let go of output that cannot be written, which Python would try once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
