"""Sessions for `nox`: `nox -l` lists them. The versions of the tools are in packaging/tools.txt."""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "tests", "docs"]
nox.options.default_venv_backend = "venv"
TOOLS = ("-r", "packaging/tools.txt")


@nox.session
def lint(session: nox.Session) -> None:
    """All hooks of pre-commit on all files."""
    session.install(*TOOLS, "click", "numpy", "matplotlib", "pillow")  # whose types mypy reads
    session.run("pre-commit", "run", "--all-files", "--show-diff-on-failure")


@nox.session
def tests(session: nox.Session) -> None:
    """Install striate and run its tests; arguments after `--` go to pytest."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Check README.md and build the documentation in build/docs."""
    session.install(*TOOLS, ".[all]")
    session.run("python", "packaging/check_readme.py")
    session.run("sphinx-build", "-W", "docs", "build/docs")


@nox.session
def release(session: nox.Session) -> None:
    """Check what a release would contain, without building it."""
    session.install(*TOOLS)
    session.run("packaging/check_release.sh", external=True)


@nox.session
def tidy(session: nox.Session) -> None:
    """Run clang-tidy on the C++ core; needs clang-tidy 14 (`apt install clang-tidy-14`)."""
    session.install(*TOOLS)
    session.run("packaging/tidy.sh", external=True)


@nox.session
def coverage(session: nox.Session) -> None:
    """Print which lines of Python and C++ the tests execute; needs g++, gcov and doctest."""
    session.install(*TOOLS, ".[test]")
    session.run("packaging/coverage.sh", external=True)
