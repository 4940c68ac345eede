"""Which task a detector is of, and that asking does not load MXNet."""
import pickle
import subprocess
import sys

import pytest

from configs import load_config
from lib.tasks import Task, get_task, register_task
from lib.tasks.faster_rcnn import FasterRcnnTask, FastRcnnTask
from lib.tasks.proposals import ProposalTask
from lib.utils.errors import SniperError
from symbols import register_detector, registry

TINY = 'configs/faster/sniper_tiny_e2e.yml'


def test_tasks_of_our_detectors():
    assert type(get_task(load_config(TINY))) is FasterRcnnTask
    resnext = ['symbol', 'resnext_mx_101']
    assert type(get_task(load_config(TINY, resnext))) is FasterRcnnTask
    assert type(get_task(load_config(TINY, resnext + ['network.ROIS', 'input']))) is FastRcnnTask
    assert type(get_task(load_config(TINY, resnext + ['TRAIN.ONLY_PROPOSAL', 'True']))) is ProposalTask
    only = load_config(TINY, ['TRAIN.ONLY_PROPOSAL', 'True'])
    assert type(get_task(only)) is ProposalTask and type(get_task(only, 'test')) is FasterRcnnTask
    extract = load_config(TINY, ['TEST.EXTRACT_PROPOSALS', 'True'])
    assert type(get_task(extract, 'test')) is ProposalTask and type(get_task(extract)) is FasterRcnnTask


def test_a_task_travels_by_pickle():
    task = get_task(load_config(TINY))
    assert task.chip_targets.cells == 32
    other = pickle.loads(pickle.dumps(task))
    assert type(other) is type(task) and other.inputs() == task.inputs()


def test_unknown_names(monkeypatch):
    monkeypatch.setattr(registry, 'DETECTORS', dict(registry.DETECTORS))
    with pytest.raises(SniperError, match='unknown detector .none.*sniper_tiny'):
        get_task(load_config(TINY, ['symbol', 'none']))
    register_detector('orphan', 'nowhere:build', 'unheard_of')
    with pytest.raises(SniperError, match="'orphan' is of the task 'unheard_of', which is not registered.*faster_rcnn"):
        get_task(load_config(TINY, ['symbol', 'orphan']))


def test_names_are_taken_once():
    register_task('faster_rcnn', FasterRcnnTask)  # the same again is no harm
    with pytest.raises(ValueError, match='faster_rcnn'):
        register_task('faster_rcnn', Task)
    with pytest.raises(ValueError, match='sniper_tiny'):
        register_detector('sniper_tiny', 'elsewhere:build', 'faster_rcnn')


def test_tasks_do_not_load_mxnet():
    program = ('import sys\nfrom configs import load_config\nfrom lib.tasks import get_task\n'
               f'get_task(load_config({TINY!r})).sampler()\n'
               "assert not {'mxnet', 'sniper_mxnet'} & set(sys.modules)")
    subprocess.run([sys.executable, '-c', program], check=True)


def test_layers_that_keep_their_precision():
    names = ['stage4_unit1_offset', 'offset', 'rpn_cls_score', 'rpn_bbox_pred', 'bbox_pred', 'cls_score',
             'conv_new_out']
    task = get_task(load_config(TINY))
    assert task.float32_layers(names + ['stage1_unit1_conv1', 'fc_new_1', 'conv_new_1']) == set(names)
