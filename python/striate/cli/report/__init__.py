"""The report of a run: one page of HTML that needs no network."""

from striate.cli.report._compare import comparison
from striate.cli.report._page import render, require_report
from striate.cli.report._run import report_of

__all__ = ["comparison", "render", "report_of", "require_report"]
