"""Which network a file fits is asked of all that are registered: here of ours alone."""
import pytest

from symbols.registry import DETECTORS


@pytest.fixture(autouse=True, scope='package')
def only_our_networks():
    """Networks that tests of other folders have registered are away, since some of them cannot be built."""
    foreign = {name: entry for name, entry in DETECTORS.items() if not str(entry.build).startswith('symbols.')}
    for name in foreign:
        del DETECTORS[name]
    yield
    DETECTORS.update(foreign)
