"""Where the time of a long run goes, and how it reads."""
import contextlib
import time
from typing import Dict, Iterator, Mapping


def duration(seconds: float) -> str:
    """Seconds -> '1:02:03' or '2:03'."""
    minutes, seconds = divmod(int(round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02d}:{seconds:02d}' if hours else f'{minutes}:{seconds:02d}'


class StageClock:
    """Adds up wall seconds by stage name; those of several processes are summed by `add`."""

    def __init__(self) -> None:
        self.seconds: Dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block under `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add({name: time.perf_counter() - start})

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add a mapping stage -> seconds."""
        for name, value in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + value

    def text(self) -> str:
        """'network 12.3 s, decode 0.4 s', in the order in which stages came."""
        return ', '.join('{} {:.1f} s'.format(*item) for item in self.seconds.items())
