"""The command's group, and how its errors are told."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import click

from striate.cli._evaluate import evaluate
from striate.cli._export import export
from striate.cli._hints import answer
from striate.cli._info import info, version
from striate.cli._predict import predict
from striate.cli._report import report
from striate.cli._summary import summary
from striate.cli._train import train


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version(), prog_name="striate")
def striate() -> None:
    """Train and run convolutional networks on ordinary CPUs."""


for _command in (train, evaluate, predict, report, summary, export, info):
    striate.add_command(_command)


def run(arguments: Sequence[str]) -> int:
    """Run the command and turn what goes wrong into one line on stderr and an exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    if os.environ.get("STRIATE_TRACEBACK") == "1":
        code = striate.main(args=list(arguments) or ["--help"], prog_name="striate", standalone_mode=False)
        return code if isinstance(code, int) else 0
    try:
        code = striate.main(args=list(arguments) or ["--help"], prog_name="striate", standalone_mode=False)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else "striate"
        return _complain(where, f"{answer(error)} (see {where} --help)", 2)
    except click.ClickException as error:
        return _complain("striate", error.format_message(), 2)
    except click.Abort:
        return _complain("striate", "stopped", 130)
    except ImportError as error:
        return _complain("striate", str(error), 1)
    except MemoryError as error:
        return _complain("striate", f"out of memory {error}".strip(), 1)
    except (ValueError, TypeError, OSError) as error:
        return _complain("striate", str(error) or type(error).__name__, 2)
    return code if isinstance(code, int) else 0


def _complain(where: str, message: str, code: int) -> int:
    print(f"{where}: {' '.join(message.split())}", file=sys.stderr)
    return code
