"""What a report is made of."""
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from lib.dataset.analysis.run import Analysis
from lib.dataset.truth import Truth


class Run(NamedTuple):
    """One test.

    name: what readers know it by; analysis of its detections; metrics: what the data set's own evaluation gave, None
    if it was not asked; seconds: by stage, {} where nobody measured; scales: a mapping for each scale with name,
    windows, pixels (of these), full (of whole pictures) and network (pixels that went through it, with padding), 0
    where that is not known; facts: (what, value) on machine and program; configuration: its text.
    """

    name: str
    analysis: Analysis
    metrics: Optional[Mapping[str, Any]] = None
    seconds: Mapping[str, float] = {}
    scales: Sequence[Mapping[str, Any]] = ()
    facts: Sequence[Tuple[str, Any]] = ()
    configuration: str = ''


class ReportedData(NamedTuple):
    """The data that runs were tested on: its name, names of the classes ('__background__' first), records of the
    pictures, objects, the pictures that could not be read, and the scores that it is compared by, as
    lib.dataset.base.Dataset.own_scores."""

    name: str
    classes: Sequence[str]
    roidb: Sequence
    truth: Truth
    unreadable: Sequence[int] = ()
    own_scores: Mapping[str, str] = {}


def difference(runs: List[Run], value) -> Optional[float]:
    """value(run) of the first run minus that of the second; None without a second, or where a value is not there."""
    if len(runs) < 2:
        return None
    first, second = value(runs[0]), value(runs[1])
    return None if first is None or second is None or min(first, second) < 0 else first - second
