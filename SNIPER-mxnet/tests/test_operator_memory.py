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

# MXNet is loaded once. It has computed nothing before a process is split off, and starts its threads anew there.
SCRIPT = """
import json, os, sys
from benchmarks import memory
from operator_samples import Prepared, sample

def measure(name, calls):
    small = Prepared(name, sample(name))
    small.call()
    large = Prepared(name, sample(name, large=True))
    report = {'peak': memory.peak(large.call), 'arrays': large.bytes()}
    report['growth'] = memory.growth(small.call, calls)
    print(json.dumps([name, report]), flush=True)

for name in sys.argv[2:]:
    if not os.fork():
        measure(name, int(sys.argv[1]))
        os._exit(0)
    if os.wait()[1]:
        sys.exit(f'{name} was not measured')
"""


@pytest.fixture(scope='module')
def measured():
    """{operator: its figures in bytes}."""
    here = os.path.dirname(os.path.abspath(__file__))
    folders = [here, os.path.dirname(os.path.dirname(here)), os.environ.get('PYTHONPATH', '')]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(folders), OMP_NUM_THREADS='2', OMP_WAIT_POLICY='passive')
    environment.update(memory.ENVIRONMENT)

    def figures(names):
        command = [sys.executable, '-W', 'ignore', '-c', SCRIPT, str(CALLS), *names]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    with ThreadPoolExecutor(2) as pool:
        return dict(sum(pool.map(figures, (NAMES[::2], NAMES[1::2])), []))


@pytest.mark.parametrize('name', NAMES)
def test_at_most_four_times_inputs_and_outputs(measured, name):
    """The peak of a forward and a backward pass, outputs included, at a size of real use."""
    figures = measured[name]
    assert figures['peak'] <= 4 * figures['arrays'] + SLACK, figures


@pytest.mark.parametrize('name', NAMES)
def test_a_thousand_calls_leak_nothing(measured, name):
    assert measured[name]['growth'] <= LEAK, measured[name]
