"""Where golden vectors and real data lie; tests that need them skip when they are absent."""
import os

import pytest

SHARED = os.environ.get('SNIPER_SHARED') or os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), 'shared')


def golden_file(name):
    """Path of `reference/golden/<name>`; skips the calling test if the file is absent."""
    return _existing('reference', 'golden', name)


def reference_file(name):
    """Path of `reference/<name>`; skips the calling test if the file is absent."""
    return _existing('reference', name)


def real_data(name):
    """Path of the real data set folder `data/<name>`; skips the calling test if it is absent."""
    return _existing('data', name)


def _existing(*parts):
    path = os.path.join(SHARED, *parts)
    if not os.path.exists(path):
        pytest.skip(f'needs {os.path.join("shared", *parts)} beside the project (set SNIPER_SHARED to its folder)')
    return path
