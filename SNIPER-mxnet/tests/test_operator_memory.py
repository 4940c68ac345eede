"""No operator takes more than four times its inputs and outputs, and none leaks: measured, a process an operator."""
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks import memory
from operator_samples import BY_NAME

pytestmark = [
    pytest.mark.skipif(not memory.supported(), reason='needs the memory figures of Linux in /proc'),
    pytest.mark.skipif('SNIPER_SANITIZED' in os.environ, reason='the sanitizers keep memory of their own'),
]

NAMES = sorted(BY_NAME)
SLACK = 512 * 1024  # what a process takes beside: stacks of threads, Python, pages that are used in part
LEAK = 512 * 1024  # in a thousand calls; half a kilobyte a call would be found
CALLS = 1000

SCRIPT = """
import json, sys
from benchmarks import memory
from operator_samples import Prepared, sample

name, calls = sys.argv[1], int(sys.argv[2])
small = Prepared(name, sample(name))
small.call()
large = Prepared(name, sample(name, large=True))
report = {'peak': memory.peak(large.call), 'arrays': large.bytes()}
report['growth'] = memory.growth(small.call, calls)
print(json.dumps(report))
"""


@pytest.fixture(scope='module')
def measured():
    """{operator: its figures in bytes}."""
    here = os.path.dirname(os.path.abspath(__file__))
    folders = [here, os.path.dirname(os.path.dirname(here)), os.environ.get('PYTHONPATH', '')]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(folders), OMP_NUM_THREADS='2', OMP_WAIT_POLICY='passive')
    environment.update(memory.ENVIRONMENT)

    def figures(name):
        command = [sys.executable, '-W', 'ignore', '-c', SCRIPT, name, str(CALLS)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout.decode())

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(NAMES, pool.map(figures, NAMES)))


@pytest.mark.parametrize('name', NAMES)
def test_at_most_four_times_inputs_and_outputs(measured, name):
    """The peak of a forward and a backward pass, outputs included, at a size of real use."""
    figures = measured[name]
    assert figures['peak'] <= 4 * figures['arrays'] + SLACK, figures


@pytest.mark.parametrize('name', NAMES)
def test_a_thousand_calls_leak_nothing(measured, name):
    assert measured[name]['growth'] <= LEAK, measured[name]
