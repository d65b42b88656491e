"""A demonstration on real data, from an empty machine to a proof, that needs nothing but the installed package."""

from rapidbyte.demo.report import DemoReport, as_json, as_lines, as_table, closing_lines
from rapidbyte.demo.run import Watching, run_demo

__all__ = ["DemoReport", "Watching", "as_json", "as_lines", "as_table", "closing_lines", "run_demo"]
