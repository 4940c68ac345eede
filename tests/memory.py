"""How much memory something takes, whatever the process took before."""
import contextlib
import tracemalloc


@contextlib.contextmanager
def at_most(megabytes):
    """What runs within holds at no time more than so much that Python or NumPy asked for."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes << 20, f'it took {peak / 2 ** 20:.1f} MB'
