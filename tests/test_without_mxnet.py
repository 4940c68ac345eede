"""An environment without MXNet: what runs exported networks, reads data, scores and draws does not import it."""
import subprocess
import sys

from tests.conftest import ROOT
from tests.test_architecture import MODULES, room_of

# Not needed to run an exported network: trains, or reads the weights of MXNet.
WITH_MXNET = {'lib.train', 'lib.suggest', 'lib.distributed', 'lib.export'}
OF_A_TRAINING = {'lib.engine.training', 'lib.engine.optimiser_state', 'lib.engine.gradient_norm',
                 'lib.weights.checkpoint'}
PROGRAM = """
import importlib, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('mxnet', 'sniper_mxnet'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Absent())
"""


def without_mxnet(program, *arguments):
    """A Python that has no MXNet runs `program` -> (status, standard output, standard error)."""
    done = subprocess.run([sys.executable, '-c', PROGRAM + program, *arguments], cwd=ROOT, capture_output=True,
                          text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def needed():
    """Modules of the rooms that inference is made of."""
    return sorted(module for module in MODULES if module.startswith(('lib.', 'configs')) and module != 'lib.setup'
                  and room_of(module) not in WITH_MXNET | {'commands'} and module not in OF_A_TRAINING)


def test_rooms_of_inference_and_the_help_of_its_programs():
    modules = needed()
    assert len(modules) > 150 and {'lib.api', 'lib.inference.evaluate', 'lib.engine.network'} <= set(modules)
    status, out, err = without_mxnet("""
for name in sys.argv[1:]:
    importlib.import_module(name)
import demo, main_test
for program in (demo, main_test):
    try:
        program.main(['--help'])
    except SystemExit as leaving:
        assert not leaving.code
print(sorted(name for name in sys.modules if 'mxnet' in name))
""", *modules)
    assert not status, err
    assert 'Detect objects' in out and 'Evaluate a trained' in out and out.splitlines()[-1] == '[]'


def test_what_needs_mxnet_says_so():
    status, _, err = without_mxnet("""
from lib.cli import run
run(lambda argv: importlib.import_module('sniper_mxnet'))
""")
    assert status == 1 and err.startswith('error: this needs MXNet, which is not here') and err.count('\n') == 1
