"""scripts/train_neg_props_and_sniper.sh as a user runs it: two tiny training sets, interruptions, a second run."""
import os
import shutil
import signal
import subprocess
import time

import pytest

from lib.dataset.proposals import read_proposals
from tests.scripts.linked_clone import LinkedClone

pytestmark = pytest.mark.skipif(shutil.which('bash') is None, reason='needs bash')

SCRIPT = 'train_neg_props_and_sniper.sh'
SETTINGS = {'dataset.image_set': 'train+val', 'TRAIN.MAX_BATCHES': '2', 'TRAIN.BATCH_IMAGES': '2',
            'TRAIN.end_epoch': '1', 'TRAIN.NUM_PROCESS': '0', 'TEST.NUM_PROCESS': '0', 'gpus': 'cpu',
            'TEST.SCALES': '[(96, 128)]', 'TEST.VALID_RANGES': '[(-1, -1)]', 'TEST.BATCH_IMAGES': '2',
            'TEST.RPN_POST_NMS_TOP_N': '64', 'TRAIN.NEG_CHIP_MIN_ROWS': '[2, 2]'}


class Clone(LinkedClone):
    """Runs the script."""

    def start(self, *settings):
        words = [word for pair in SETTINGS.items() for word in pair]
        words += ['output_path', 'out put', 'dataset.dataset_path', 'data', 'dataset.root_path', '.'] + list(settings)
        command = ['bash', 'scripts/' + SCRIPT, '--cfg', 'configs/faster/sniper_tiny_neg.yml', '--prop_save_path',
                   'the props', '--prop_train_path', 'the net', '--set'] + words
        environment = dict(os.environ, OMP_NUM_THREADS='1')
        return subprocess.Popen(command, cwd=str(self.root), env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, universal_newlines=True, start_new_session=True)

    def run(self, *settings):
        """-> (status, everything printed)."""
        process = self.start(*settings)
        text = process.communicate(timeout=300)[0]
        return process.returncode, text

    def interrupt(self, marker, *settings):
        """Run until a line has `marker`, then Ctrl-C. -> (status, everything printed)."""
        process = self.start(*settings)
        lines = []
        for line in process.stdout:
            lines.append(line)
            if marker in line:
                os.killpg(process.pid, signal.SIGINT)
                break
        lines.append(process.communicate(timeout=120)[0])
        return process.returncode, ''.join(lines)


@pytest.fixture(scope='module')
def clone(tmp_path_factory):
    from lib.dataset import synthetic
    made = Clone(tmp_path_factory.mktemp('script'))
    synthetic.main(['--out', str(made.root / 'data'), '--train', '4', '--val', '2', '--test-dev', '1',
                    '--processes', '1'])
    return made


def names(folder):
    return sorted(os.listdir(str(folder))) if os.path.isdir(str(folder)) else []


def test_interrupted_in_every_step_and_run_to_its_end(clone):
    net = clone.root / 'the net' / 'sniper_tiny_neg' / 'train_val'
    slow = ('TRAIN.MAX_BATCHES', '500')
    status, text = clone.interrupt('Epoch 1: chips', *slow)
    assert status == 130 and "Stopped in the step 'train the proposal network'" in text, text
    assert 'SNIPER-interrupted.params' in names(net) and 'extract proposals of train' not in text

    started = time.time()
    status, text = clone.interrupt('=== extract proposals of val')
    assert status == 130 and 'Resuming from' in text and "'extract proposals of val'" in text.splitlines()[-1], text
    assert 'SNIPER-0002.params' in names(net) and 'SYNTHETIC_train_rpn.npz' in names(clone.root / 'the props')

    status, text = clone.run()
    assert status == 0, text
    assert 'All 2 epochs are trained already' in text
    # The signal comes before the second set's extraction or during it; so few images may be through by then.
    assert text.count('is there already, made from the same') in (1, 2)
    assert 'negative_chips' in text and 'Trained to epoch 1' in text
    for name, images in (('train', 4), ('val', 2)):
        assert len(read_proposals(str(clone.root / 'the props' / (f'SYNTHETIC_{name}_rpn.npz'))).image_ids) == images
    trained = clone.root / 'out put' / 'sniper_tiny_neg' / 'train_val' / 'SNIPER-0001.params'
    assert trained.stat().st_mtime >= started

    before = trained.stat().st_mtime_ns
    status, text = clone.run()  # everything is there
    assert status == 0 and text.count('nothing to do') == 4, text
    assert trained.stat().st_mtime_ns == before and 'Epoch 1/' not in text


def test_another_network_proposes(clone):
    """It has keys of its own, and of the detector's the data."""
    words = [word for pair in dict(SETTINGS, **{'dataset.dataset_path': 'data', 'dataset.root_path': '.',
                                                'output_path': 'other out'}).items() for word in pair]
    done = subprocess.run(
        ['bash', 'scripts/' + SCRIPT, '--cfg', 'configs/faster/sniper_tiny_neg.yml', '--proposals-cfg',
         'configs/arm/sniper_arm_slim.yml', '--prop_epochs', '1', '--prop_save_path', 'other props',
         '--prop_train_path', 'other net', '--set', *words],
        cwd=str(clone.root), env=dict(os.environ, OMP_NUM_THREADS='1'), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    assert "dataset.CLASS_AGNOSTIC makes one class 'object'" in done.stdout and 'negative_chips' in done.stdout
    assert 'SNIPER-0001.params' in names(clone.root / 'other net' / 'sniper_arm_slim' / 'train_val')
    found = read_proposals(str(clone.root / 'other props' / 'SYNTHETIC_train_rpn.npz'))
    assert len(found.image_ids) == 4


def test_a_step_that_fails_is_named(clone):
    status, text = clone.run('TRAIN.lrr', '1')
    assert status == 1 and 'TRAIN.lr' in text
    status, text = clone.run('dataset.dataset_path', 'nowhere')
    last = text.strip().splitlines()[-1]
    assert status == 1 and last.startswith('error: ') and "'train the proposal network' failed" in last


@pytest.mark.parametrize('words, part', [
    ((), '--cfg is missing'), (('--cfg',), '--cfg wants a value'),
    (('--proposals-cfg',), '--proposals-cfg wants a value'), (('--fast', 'x'), "unknown option '--fast'"),
    (('--cfg', 'nowhere.yml'), 'nowhere.yml')])
def test_wrong_command_lines(clone, words, part):
    done = subprocess.run(['bash', str(clone.root / 'scripts' / SCRIPT)] + list(words), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, cwd='/')
    assert done.returncode == 1 and part in done.stdout


def test_help(clone):
    done = subprocess.run(['bash', str(clone.root / 'scripts' / SCRIPT), '--help'], stdout=subprocess.PIPE,
                          text=True, timeout=60)
    assert done.returncode == 0 and '--prop_save_path' in done.stdout and 'set -euo' not in done.stdout
