"""pyproject.toml and what calls it: where tests are, what is linted, and that CI does it."""
import os
import subprocess
import sys

from tests.conftest import ROOT


def read(*names):
    with open(os.path.join(ROOT, *names), encoding='utf-8') as stream:
        return stream.read()


def test_a_bare_pytest_collects_tests_and_no_programs():
    """main_test.py has functions of a test's name that want a `config`; without the tests nothing may be left."""
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '--ignore-glob=*/test_*.py']
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 5 and 'no tests ran' in done.stdout, done.stdout
    for folder in ('tests', 'SNIPER-mxnet/tests'):
        assert f'"{folder}"' in read('pyproject.toml') and os.path.isdir(os.path.join(ROOT, folder))


def test_ci_lints():
    assert '/lint.sh"' in read('.ci', 'run')
    words = read('scripts', 'lint.sh')
    assert 'bin/ruff" check .' in words and 'bin/mypy"' in words
    assert all('==' in line for line in read('requirements-lint.txt').splitlines() if not line.startswith('#'))
