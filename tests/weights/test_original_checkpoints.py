"""Files with the names, shapes and types of the original's manifests load, run and are saved again byte for byte."""
import io

import numpy as np
import pytest

from lib.weights.parameter_matching import match_networks
from lib.weights.params_file import FLAGS, file_checksum, write_arrays
from symbols import get_detector
from tests.symbols.helpers import config_for, manifest, shapes_of
from tests.symbols.test_manifests import CROWD, GRAPHS, VARIANTS, overrides

SIDE = 64
STDS = np.array([0.1, 0.1, 0.2, 0.2], np.float32)


class Nowhere(io.RawIOBase):
    """A stream that only counts."""

    def write(self, block):
        return len(block)


def values(name, shape, dtype):
    """A repeated random pattern: quick to make for large arrays, small enough for deep networks, exact in float16."""
    random = np.random.RandomState(len(name))
    if name.endswith(('_gamma', '_var')):
        pattern = random.uniform(0.5, 1, 1024)
    else:
        pattern = random.normal(0, 1, 1024) / max(1, np.prod(shape[1:])) ** 0.5
    return np.resize(pattern.astype(np.float16), shape).astype(dtype)


def original_file(path, expected):
    """Write what the original would have written for a manifest; the box layer's test arrays lie in the middle."""
    arrays = {'arg:' + entry['name']: values(**entry) for entry in expected['arguments']}
    if 'arg:bbox_pred_weight' in arrays:
        stds = np.tile(STDS, len(arrays['arg:bbox_pred_bias']) // 4)
        arrays['arg:bbox_pred_weight_test'] = arrays['arg:bbox_pred_weight'] * stds[:, None]
        arrays['arg:bbox_pred_bias_test'] = arrays['arg:bbox_pred_bias'] * stds
    arrays.update({'aux:' + entry['name']: values(entry['name'], entry['shape'], 'float32')
                   for entry in expected['auxiliary_states']})
    with open(path, 'wb') as stream:
        return write_arrays(stream, arrays), arrays


@pytest.mark.parametrize('graph', GRAPHS, ids='.'.join)
def test_loads_runs_and_saves_again(tmp_path, graph):
    from lib.weights.checkpoint import load_params
    name, variant = graph
    expected = manifest(name, variant)
    path = str(tmp_path / 'SNIPER-0007.params')
    written, arrays = original_file(path, expected)
    args, auxs = load_params(path)

    assert {array.dtype for array in args.values()} <= {np.dtype(kind).type for kind in FLAGS}
    for entry in expected['arguments']:
        array = args[entry['name']]
        assert (array.shape, array.dtype.__name__) == (tuple(entry['shape']), entry['dtype'])
    again = {'arg:' + key: array for key, array in args.items()}
    again.update({'aux:' + key: array for key, array in auxs.items()})
    assert list(again) == list(arrays)
    assert write_arrays(Nowhere(), again) == written == file_checksum(path)

    best = match_networks({key.split(':')[1]: array.shape for key, array in arrays.items()})[0]
    assert best.network == name and best.whole.complete and not best.extra
    assert best.variant.name.startswith('rpn') == variant.startswith('rpn')
    assert ('autofocus' in best.variant.name) == ('autofocus' in variant)

    run(name, variant, path, args, auxs)


def run(name, variant, path, args, auxs):
    """One forward pass through our network with what is loaded, in float32, on a small input."""
    from lib.weights.checkpoint import load_for_test
    from sniper_mxnet import mx
    few = ('TRAIN.RPN_POST_NMS_TOP_N', '8', 'TEST.RPN_POST_NMS_TOP_N', '8', 'TRAIN.MAX_MASKS', '4')
    config = config_for(name, *few, *overrides(name, variant))
    detector, graph = get_detector(name), VARIANTS[variant]
    symbol = detector.symbol(config, graph)
    if graph.endswith('test'):
        raw = args.get('bbox_pred_weight')
        args, auxs = load_for_test(path[:-len('-0007.params')], 7)
        assert not [key for key in args if key.endswith('_test')]
        if raw is not None:     # de-normalised weights decode directly
            np.testing.assert_allclose(args['bbox_pred_weight'].asnumpy()[:4],
                                       raw.asnumpy()[:4] * STDS[:, None], rtol=1e-6)
    shapes = shapes_of(detector, config, 1, SIDE, SIDE, graph)
    executor = symbol.simple_bind(mx.cpu(), grad_req='null', **shapes)
    executor.copy_params_from(args, auxs, allow_extra_params=True)
    for key in shapes:
        executor.arg_dict[key][:] = SIDE if key in ('im_info', 'valid_ranges') else -1 if key == 'gt_boxes' else 0
    for key in executor.arg_dict:
        if key not in shapes and '_test' not in key:
            assert key in args and key != CROWD
    executor.arg_dict['data'][:] = np.random.RandomState(3).normal(0, 50, shapes['data'])
    outputs = executor.forward(is_train=False)
    assert all(np.isfinite(output.asnumpy()).all() for output in outputs)
    assert any(output.asnumpy().std() > 0 for output in outputs)


def test_what_is_missing_odd_or_too_much_is_named_in_one_line(tmp_path):
    from lib.engine.predictor import check_shapes
    from lib.utils.errors import SniperError
    from lib.weights.checkpoint import load_for_test
    expected = manifest('mobilenetv2_e2e', 'rcnn_test')
    path = str(tmp_path / 'S-0007.params')
    _, arrays = original_file(path, expected)
    arrays['arg:renamed'] = arrays.pop('arg:fc_new_1_bias')
    arrays.pop('aux:seq-0-block0-exp-batchnorm_moving_var')
    arrays['arg:cls_score_weight'] = np.zeros((5, 512), np.float32)
    with open(path, 'wb') as stream:
        write_arrays(stream, arrays)
    args, auxs = load_for_test(str(tmp_path / 'S'), 7)
    config = config_for('mobilenetv2_e2e')
    detector = get_detector('mobilenetv2_e2e')
    with pytest.raises(SniperError) as error:
        check_shapes(detector.test_symbol(config), args, auxs,
                     shapes_of(detector, config, 1, SIDE, SIDE, 'test'), path)
    text = str(error.value)
    assert '\n' not in text and path in text
    for part in ('2 parameters are missing (fc_new_1_bias, seq-0-block0-exp-batchnorm_moving_var)',
                 'cls_score_weight is 5x512, the network wants 81x512', '1 is not asked for (renamed)'):
        assert part in text
