"""Metrics by name against the golden values and against hand-made numbers."""
import numpy as np
import pytest

from lib.train.metrics import TrainMetrics, classification_sums
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


def test_golden_values():
    golden = np.load(golden_file('pipeline/metrics.npz'))
    for case in range(int(golden['n_cases'])):
        names = names_of_case(golden, case)
        metrics = TrainMetrics(names)
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
    metrics = TrainMetrics(FULL[:2])
    assert metrics.names == ['RPNAcc', 'RPNLogLoss', 'RPNL1Loss']
    assert metrics.needed_labels == ['label']
    assert all(np.isnan(value) for _, value in metrics.values())


@pytest.mark.parametrize('target, is_nan', [(1, True), (-1, False)])
def test_a_mask_head_gone_wild_is_seen_where_it_is_measured(target, is_nan):
    """The fit loop ends a training by these losses; a batch without masks has none."""
    metrics = TrainMetrics(['mask_cls_prob_output', 'blockgrad0_output'])
    outputs = {'mask_cls_prob_output': np.full((1, 2, 4, 4), np.nan), 'blockgrad0_output': np.full((1, 4, 4), target)}
    losses = metrics.update(outputs, {})
    assert list(losses) == ['MaskLogLoss'] and np.isnan(losses['MaskLogLoss']) == is_nan


def test_label_names_do_not_depend_on_the_counter():
    """MXNet numbers BlockGrad nodes by session: the second graph of a process starts higher."""
    metrics = TrainMetrics(FULL[:2] + ['cls_prob_reshape_output', 'bbox_loss_reshape_output', 'blockgrad10_output',
                                       'mask_cls_prob_output', 'blockgrad9_output'])
    assert metrics.label_outputs == {'rcnn_label': 'blockgrad9_output', 'mask_target': 'blockgrad10_output'}


def test_state_goes_on_exactly():
    rng = np.random.RandomState(3)
    first, second = TrainMetrics(FULL[:2]), TrainMetrics(FULL[:2])
    for step in range(4):
        outputs = {'rpn_cls_prob_output': rng.rand(2, 2, 6, 3), 'rpn_bbox_loss_output': rng.rand(2, 8, 3, 3)}
        labels = {'label': rng.randint(-1, 2, (2, 18))}
        first.update(outputs, labels)
        if step == 1:
            second.set_state(first.get_state())
        elif step > 1:
            second.update(outputs, labels)
    assert first.values() == second.values()
