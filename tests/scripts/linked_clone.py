"""A clone of the repository for tests that run its scripts as a user does."""
import os
import sys

from tests.conftest import ROOT
from tests.scripts.test_scripts import write_program


class LinkedClone:
    """The repository by links, in a folder with a space in its name, with the Python of this test."""

    def __init__(self, folder):
        self.root = folder / 'a clone'
        self.root.mkdir()
        for name in ('lib', 'configs', 'symbols', 'scripts', 'main_train.py', 'main_test.py'):
            os.symlink(os.path.join(ROOT, name), str(self.root / name))
        self.python(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')

    def python(self, text):
        """Let this program be the Python of the environment."""
        write_program(self.root / '.venv' / 'bin' / 'python', text)
