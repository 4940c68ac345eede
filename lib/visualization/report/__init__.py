"""The report of a test: one HTML file that needs no network, no scripts and no other files.

page.py puts it together from sections: scores.py, errors.py, curves.py, worst.py, machine.py. markup.py writes
elements and escapes whatever is text, charts.py draws curves and bars as SVG. What is told comes from
lib.dataset.analysis.
"""
from lib.visualization.report.page import write_report
from lib.visualization.report.run import ReportedData, Run

__all__ = ['Run', 'ReportedData', 'write_report']
