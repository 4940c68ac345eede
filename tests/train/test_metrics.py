"""Metrics by name against the golden values and against hand-made numbers."""
import numpy as np
import pytest

from configs import load_config
from lib.tasks import Metric, get_task
from lib.tasks.faster_rcnn import MASK_METRICS
from lib.train.metrics import TrainMetrics, classification_sums, find_output
from tests.golden import golden_file

FULL = ['rpn_cls_prob_output', 'rpn_bbox_loss_output', 'cls_scale_prob_output', 'cls_prob_reshape_output',
        'bbox_loss_reshape_output', 'blockgrad0_output', 'mask_cls_prob_output', 'blockgrad1_output']
GOLDEN_INPUTS = {'rpn_cls_prob_output': 'rpn_cls_prob', 'rpn_bbox_loss_output': 'rpn_bbox_loss',
                 'cls_scale_prob_output': 'focus_prob', 'cls_prob_reshape_output': 'cls_prob',
                 'bbox_loss_reshape_output': 'bbox_loss', 'blockgrad0_output': 'rcnn_label',
                 'mask_cls_prob_output': 'mask_prob', 'blockgrad1_output': 'mask_target'}


def names_of_case(golden, case):
    names = list(FULL)
    if not golden[f'{case:03d}/auto_focus']:
        names.remove('cls_scale_prob_output')
    if not golden[f'{case:03d}/with_mask']:
        names = names[:-2]
    return names


def make_metrics(outputs, **train):
    """Metrics of sniper_tiny's task; keyword arguments are keys of TRAIN."""
    config = load_config(None, ['symbol', 'sniper_tiny'] + [word for key, value in train.items()
                                                            for word in ('TRAIN.' + key, value)])
    task = get_task(config)
    return TrainMetrics(task.metrics(), outputs, [entry.name for entry in task.inputs() if entry.role == 'label'])


def test_golden_values():
    golden = np.load(golden_file('pipeline/metrics.npz'))
    for case in range(int(golden['n_cases'])):
        names = names_of_case(golden, case)
        metrics = make_metrics(names, AUTO_FOCUS=bool(golden[f'{case:03d}/auto_focus']),
                               WITH_MASK=bool(golden[f'{case:03d}/with_mask']))
        outputs = {name: golden[f'{case:03d}/{GOLDEN_INPUTS[name]}'] for name in names}
        labels = {'label': golden[f'{case:03d}/rpn_label'], 'scale_label': golden[f'{case:03d}/focus_label']}
        assert set(metrics.needed_outputs) == set(names)
        metrics.update(outputs, labels)
        values = dict(metrics.values())
        expected = {key.split('value_')[1] for key in golden.files if key.startswith(f'{case:03d}/value_')}
        assert set(values) == expected
        for name, value in values.items():
            np.testing.assert_allclose(value, golden[f'{case:03d}/value_{name}'], rtol=1e-5,
                                       err_msg=f'case {case} {name}')


def test_classification_sums_by_hand():
    prob = np.array([[[0.9, 0.2, 0.5], [0.1, 0.8, 0.5]]])          # (1, 2, 3)
    hits, loss, count = classification_sums(prob, np.array([[0, 0, -1]]), class_axis=1)
    assert (hits, count) == (1, 2)
    assert loss == pytest.approx(-np.log(0.9) - np.log(0.2))


def test_proposal_graph_has_only_rpn_metrics():
    metrics = make_metrics(FULL[:2], ONLY_PROPOSAL=True)
    assert [name for name, _ in metrics.values()] == ['RPNAcc', 'RPNLogLoss', 'RPNL1Loss']
    assert metrics.needed_labels == ['label']
    assert all(np.isnan(value) for _, value in metrics.values())


@pytest.mark.parametrize('target, is_nan', [(1, True), (-1, False)])
def test_a_mask_head_gone_wild_is_seen_where_it_is_measured(target, is_nan):
    """The fit loop ends a training by these losses; a batch without masks has none."""
    mask = [metric for metric in MASK_METRICS if metric.kind == 'log_loss']
    metrics = TrainMetrics([metric._replace(label='blockgrad0_output') for metric in mask],
                           ['mask_cls_prob_output', 'blockgrad0_output'], [])
    outputs = {'mask_cls_prob_output': np.full((1, 2, 4, 4), np.nan), 'blockgrad0_output': np.full((1, 4, 4), target)}
    losses = metrics.update(outputs, {})
    assert list(losses) == ['MaskLogLoss'] and np.isnan(losses['MaskLogLoss']) == is_nan


def test_output_names_do_not_depend_on_the_counter():
    """MXNet numbers BlockGrad nodes by session: the second graph of a process starts higher."""
    names = ['cls_prob_output', 'blockgrad10_output', 'mask_cls_prob_output', 'blockgrad9_output']
    assert find_output('blockgrad0_output', names) == 'blockgrad9_output'
    assert find_output('blockgrad1_output', names) == 'blockgrad10_output'
    assert find_output('cls_prob_output', names) == 'cls_prob_output'
    for absent in ('blockgrad2_output', 'loss_output'):
        with pytest.raises(ValueError, match=f'no output {absent!r}'):
            find_output(absent, names)


def test_without_labels_losses_are_averaged_over_samples():
    metrics = TrainMetrics([Metric('Loss', 'l1', 'loss_output', '')], ['loss_output'], ['label'])
    assert metrics.needed_outputs == ['loss_output'] and metrics.needed_labels == []
    metrics.update({'loss_output': np.full((4, 3), 0.5)}, {})
    assert metrics.values() == [('Loss', 1.5)]


def test_state_goes_on_exactly():
    rng = np.random.RandomState(3)
    first, second = (make_metrics(FULL[:2], ONLY_PROPOSAL=True) for _ in range(2))
    for step in range(4):
        outputs = {'rpn_cls_prob_output': rng.rand(2, 2, 6, 3), 'rpn_bbox_loss_output': rng.rand(2, 8, 3, 3)}
        labels = {'label': rng.randint(-1, 2, (2, 18))}
        first.update(outputs, labels)
        if step == 1:
            second.set_state(first.get_state())
        elif step > 1:
            second.update(outputs, labels)
    assert first.values() == second.values()
