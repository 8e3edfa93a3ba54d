"""The command line: the only place that prints or exits.

Exit codes: 0 done; 1 a check failed (`verify`, `validate`); 2 a request that cannot be carried out; 130 Ctrl-C.
Everything heavy is imported inside the verbs, so that `occbench --help` answers at once.
"""

import logging
import sys
from typing import NoReturn

import typer

from occbench.cli import analyses, datasets, occluders, publishing, reporting, scoring, training

__all__ = ["app", "main"]

app = typer.Typer(
    name="occbench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Build exactly rendered, verifiable occluded-image datasets and benchmark robustness on them.",
    epilog="Start with: occbench generate quickstart --out out/quickstart",
)
datasets.register(app)
training.register(app)
scoring.register(app)
reporting.register(app)
publishing.register(app)
app.add_typer(occluders.app, name="occluders")
app.add_typer(analyses.app, name="analyse")


def main() -> None:
    """Run the command line; every error a user can mend is one line and exit code 2."""
    from occbench.core.errors import OccbenchError

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        app()
    except OccbenchError as error:
        _refuse(str(error))
    except OSError as error:  # a file or folder that nobody has looked at before using it
        if error.filename is None:
            raise
        _refuse(f"{error.filename} cannot be used: {error.strerror}. Check path and permissions, then run again.")


def _refuse(message: str) -> NoReturn:
    typer.secho(f"occbench: {' '.join(message.splitlines())}", err=True, fg="red")
    sys.exit(2)
