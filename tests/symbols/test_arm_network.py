"""`deepv_arm_net` against the manifests of arm_SNIPER's four graphs (reference/networks/), and its width."""
import numpy as np
import pytest

from lib.tasks import get_task
from symbols import get_detector
from tests.symbols.helpers import config_for, manifest

NAME = 'deepv_arm_net'
GRAPHS = {'rpn_train': 'proposal_train', 'rpn_test': 'proposal_test', 'rpn_ugly_train': 'train',
          'rpn_ugly_test': 'test'}
LIMITS = ('TRAIN.RPN_POST_NMS_TOP_N', '300', 'TEST.RPN_POST_NMS_TOP_N', '300')


@pytest.mark.parametrize('variant', GRAPHS)
def test_names_shapes_and_rates(variant):
    expected = manifest(NAME, variant)
    symbol = get_detector(NAME).symbol(config_for(NAME, *LIMITS), GRAPHS[variant])
    inputs = {entry['name']: tuple(entry['shape']) for entry in expected['inputs']}
    arguments, outputs, auxiliary = symbol.infer_shape(**inputs)
    names = symbol.list_arguments()
    assert names == expected['list_arguments']
    assert [(name, list(shape)) for name, shape in zip(names, arguments) if name not in inputs] == [
        (entry['name'], list(entry['shape'])) for entry in expected['arguments']]
    assert [(name, list(shape)) for name, shape in zip(symbol.list_auxiliary_states(), auxiliary)] == [
        (entry['name'], list(entry['shape'])) for entry in expected['auxiliary_states']]
    assert [(name, list(shape)) for name, shape in zip(symbol.list_outputs(), outputs)] == [
        (entry['name'], list(entry['shape'])) for entry in expected['outputs']]
    rates = {name: float(values['__lr_mult__']) for name, values in symbol.attr_dict().items()
             if '__lr_mult__' in values}
    assert rates == expected['lr_mult']


def test_inputs_of_a_training():
    """What the task makes is what the graph of the original asks for."""
    expected = manifest(NAME, 'rpn_train')
    inputs = {name: list(shape) for part in get_task(config_for(NAME)).layout(2) for name, shape in part}
    assert inputs == {entry['name']: list(entry['shape']) for entry in expected['inputs']}


def parameters_of(name, *overrides):
    """{name: shape} of a network that only proposes."""
    symbol = get_detector(name).symbol(config_for(name, *overrides), 'proposal_test')
    inputs = {'data': (1, 3, 64, 64), 'im_info': (1, 3), 'im_ids': (1,)}
    shapes = dict(zip(symbol.list_arguments(), symbol.infer_shape(**inputs)[0]))
    return {name: shape for name, shape in shapes.items() if name not in inputs}


@pytest.mark.parametrize('channels, parameters', [(0, 677132), (32, 71852), (512, 677132)])
def test_parameters(channels, parameters):
    shapes = parameters_of(NAME, 'network.RPN_CHANNELS', str(channels))
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == parameters


@pytest.mark.parametrize('name', ['sniper_tiny', 'mobilenetv2_e2e', 'rfcn_3k_tiny'])
def test_the_width_of_any_rpn(name):
    assert parameters_of(name)['rpn_conv_3x3_weight'][0] > 24
    assert parameters_of(name, 'network.RPN_CHANNELS', '24')['rpn_conv_3x3_weight'][0] == 24
