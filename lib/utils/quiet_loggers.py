"""Loggers that say less for a while."""
import contextlib
import logging
from typing import Iterator


@contextlib.contextmanager
def quiet_loggers(*names: str, level: int = logging.WARNING) -> Iterator[None]:
    """Context manager: these loggers, '' for the root's, say nothing below `level`, and afterwards as before."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(level)
    try:
        yield
    finally:
        for each, before in zip(loggers, levels):
            each.setLevel(before)
