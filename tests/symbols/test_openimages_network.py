"""The Open Images network against the manifest of the original's branch, and its groups in a training step."""
import json

import numpy as np

from lib.train.initialise import frozen_parameters
from sniper_mxnet import mx
from symbols import get_detector
from tests.golden import reference_file
from tests.symbols.helpers import config_for, shapes_of

NAME, MANIFEST = 'resnet_mx_101_e2e_openimages', 'networks/openimages2-resnet_mx_101_e2e.rcnn_train.json'


def manifest():
    with open(reference_file(MANIFEST)) as stream:
        return json.load(stream)


def test_names_shapes_and_types():
    expected, config = manifest(), config_for(NAME, 'TRAIN.fp16', 'True')
    symbol = get_detector(NAME).train_symbol(config)
    assert symbol.list_arguments() == expected['list_arguments']
    assert symbol.list_auxiliary_states() == [entry['name'] for entry in expected['auxiliary_states']]
    inputs = {entry['name']: tuple(entry['shape']) for entry in expected['inputs']}
    assert shapes_of(get_detector(NAME), config, 2, 512, 512, 'train') == inputs
    arguments, outputs, _ = symbol.infer_shape(**inputs)
    ours = {name: shape for name, shape in zip(symbol.list_arguments(), arguments) if name not in inputs}
    assert ours == {entry['name']: tuple(entry['shape']) for entry in expected['arguments']}
    assert sum(int(np.prod(shape)) for shape in ours.values()) == 64773030
    assert list(zip(symbol.list_outputs(), outputs)) == [(entry['name'], tuple(entry['shape']))
                                                        for entry in expected['outputs']]
    kinds = dict(zip(symbol.list_arguments(), symbol.infer_type(**{name: 'float32' for name in inputs})[0]))
    assert {name: kinds[name].__name__ for name in ours} == {entry['name']: entry['dtype']
                                                            for entry in expected['arguments']}


def test_rates_and_frozen_parameters():
    expected, config = manifest(), config_for(NAME)
    symbol = get_detector(NAME).train_symbol(config)
    assert {key: float(values['__lr_mult__']) for key, values in symbol.attr_dict().items()
            if '__lr_mult__' in values} == expected['lr_mult']
    assert frozen_parameters(config, symbol.list_arguments()) == expected['fixed_params'] == []


def test_proposals_inside_of_a_group_are_not_learnt_from():
    config = config_for('sniper_tiny_openimages', 'dataset.NUM_CLASSES', '4', 'TRAIN.CHIP_SIZE', '96',
                        'TRAIN.RPN_POST_NMS_TOP_N', '16')
    detector = get_detector('sniper_tiny_openimages')
    shapes = shapes_of(detector, config, 1, 96, 96, 'train')
    executor = detector.train_symbol(config).simple_bind(mx.cpu(), grad_req='null', **shapes)
    rng = np.random.RandomState(0)
    for array in executor.arg_dict.values():
        array[:] = rng.normal(0, (1 / max(1, np.prod(array.shape[1:]))) ** 0.5, array.shape)
    for array in executor.aux_dict.values():
        array[:] = 1
    table = np.full(shapes['gt_boxes'], -1.0)
    table[0, 0] = [10, 10, 40, 40, 2]
    for name, value in dict(im_info=[[96, 96, 1]], valid_ranges=[[0, 96]], gt_boxes=table).items():
        executor.arg_dict[name][:] = value
    labels, weights = [], []
    for group in ([-1] * 5, [0, 0, 95, 95, 0]):
        executor.arg_dict['crowd_boxes'][:] = -1
        executor.arg_dict['crowd_boxes'][0, 0] = group
        outputs = [output.asnumpy() for output in executor.forward(is_train=True)]
        labels.append(outputs[4])
        weights.append(outputs[5])
    assert set(labels[0]) == {0.0, 2.0} and set(labels[1]) == {-1.0, 2.0}
    assert np.array_equal(labels[0] == 2, labels[1] == 2)       # an object in a group stays one
    assert np.array_equal(weights[0], weights[1]) and (weights[0] == weights[0][:, :, :1]).all()
    assert weights[0].min() >= 0.25 and weights[0].max() == 1
