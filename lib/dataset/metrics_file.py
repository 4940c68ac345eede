"""Metrics of a test: as a file, and of many classes those that people look at first."""
import json
import os
from typing import Any, Dict, List, Mapping

from lib.dataset.base import per_class_table
from lib.utils.files import text_writer

MOST_IN_TABLE = 60      # classes that a table for people shows all of
EXTREMES = 10           # best and worst classes that it shows of more
LONGEST = 30            # letters of a name in a table


def write_metrics(path: str, metrics: Mapping[str, Any]) -> None:
    """As JSON; the folder is made. SniperError: the disk refuses."""
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with text_writer(path) as stream:
        json.dump(metrics, stream, indent=4)
        stream.write('\n')


def class_tables(per_class: Mapping[str, float], title: str) -> List[str]:
    """{class: AP} -> lines: a table of all classes, or of more than MOST_IN_TABLE of the best and of the worst."""
    if len(per_class) <= MOST_IN_TABLE:
        return _table(per_class.items(), title, 3) if per_class else []
    ranked = sorted(per_class.items(), key=lambda item: -item[1])
    return [line for words, part in (('best', ranked[:EXTREMES]), ('worst', ranked[-EXTREMES:]))
            for line in _table(part, f'{title}: the {words}', 2)]


def _table(items, title, columns) -> List[str]:
    shown: Dict[str, float] = {}
    for name, ap in items:
        short = name if len(name) <= LONGEST else f'{name[:LONGEST - 3]}...'
        shown[name if short in shown else short] = ap
    return per_class_table(shown, title, columns)
