"""Benchmarks take minutes and are not run by tests, but what they import from the repository is there."""
import ast
import glob
import importlib
import os

import pytest

from tests.conftest import ROOT

FILES = sorted(os.path.relpath(path, ROOT) for path in
               glob.glob(os.path.join(ROOT, 'benchmarks', '**', '*.py'), recursive=True))
OURS = ('lib', 'configs', 'symbols', 'benchmarks', 'scripts')


@pytest.mark.parametrize('path', FILES)
def test_what_a_benchmark_imports_exists(path):
    """Those inside functions too."""
    with open(os.path.join(ROOT, path), encoding='utf-8') as stream:
        tree = ast.parse(stream.read(), path)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.split('.')[0] in OURS:
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.import_module(f'{node.module}.{alias.name}')
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split('.')[0] in OURS:
                    importlib.import_module(alias.name)
