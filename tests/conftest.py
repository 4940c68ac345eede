"""Test set-up shared by all folders: imports work from the repository root, logging stays pytest's."""
import logging
import os
import signal
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

# A shell that starts tests behind `&` has SIGINT ignored, nohup SIGHUP, in all processes that tests start too; tests
# send these signals and wait for what they do.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, usual)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """What a test printed may hold file names that are no text; processes of pytest-xdist cannot send these."""
    report = (yield).get_result()
    report.sections = [(title, text.encode('utf-8', 'backslashreplace').decode()) for title, text in report.sections]


@pytest.fixture(autouse=True)
def restored_logging():
    """Programs under test configure logging; pytest wants its own back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:], root.level = handlers, level
