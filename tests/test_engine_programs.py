"""main_test.py and the api on exported networks: what MXNet finds is found, without MXNet too."""
import json
import os

import numpy as np
import pytest

import main_test
from lib.api import Detector
from lib.engine.openvino_session import keep_exact
from lib.masks import unpack
from lib.utils.errors import SniperError
from scripts import export_onnx
from tests.inference import tiny_data
from tests.test_api import pictures
from tests.test_without_mxnet import without_mxnet

REASON = 'requirements-onnx.txt is not installed'
pytest.importorskip('onnx', reason=REASON)
pytest.importorskip('onnxruntime', reason=REASON)
CHIPS = '[(96, 128), (192, 256)]'
FOCUS = {'AUTO_FOCUS': True, 'DO_PRUNING': '[False, True]', 'SCALES': CHIPS,
         'CHIP_HYPERPARAMS': '[(1, 1e-9, 2), (-1, -1, -1)]', 'VALID_RANGES': '[(-1, -1), (-1, -1)]'}
# Share of rows that are found again: OpenVINO computes coordinates in float32, so that random weights' boxes, many of
# which overlap as much as suppression allows, may go the other way.
SHARES = {'onnxruntime': 1.0, 'openvino': 0.7}


def export(folder, settings):
    """-> path of the exported network of the checkpoint below `folder`."""
    path = os.path.join(folder, 'net.onnx')
    assert export_onnx.main(['--cfg', tiny_data.CONFIG, '--out', path, '--set', *settings]) == 0
    return path


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A detector with masks, and another with AutoFocus."""
    path = str(tmp_path_factory.mktemp('engines'))
    tiny_data.write_all(path, masks=True)
    export(path, tiny_data.settings(path, WITH_MASK=True))
    focused = os.path.join(path, 'focused')
    export(focused, tiny_data.write_focused(focused, CHIPS))
    return path


def found_again(found, wanted, share):
    """(n, 2) rows of `found` and of `wanted` that are the same but for rounding; at least a `share` of both is."""
    apart = np.abs(np.column_stack([found.box, found.score])[:, None] - np.column_stack([wanted.box, wanted.score]))
    same = (apart.max(axis=2) < 0.05) & (apart[:, :, 4] < 1e-3)
    same &= (found.label[:, None] == wanted.label) & (found.image[:, None] == wanted.image)
    assert len(wanted) > 10 and same.any(axis=0).mean() >= share and same.any(axis=1).mean() >= share
    return np.argwhere(same)


@pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])
def test_masks(folder, engine):
    pytest.importorskip(engine, reason=REASON)
    network, paths = os.path.join(folder, 'net.onnx'), pictures(folder)
    with Detector.load(tiny_data.CONFIG, tiny_data.settings(folder, WITH_MASK=True)) as detector:
        wanted = detector.detect(paths)
    with Detector.load(network, {'TEST.ENGINE': engine, 'gpus': 'cpu'}) as detector:
        found = detector.detect(paths)
    assert detector.classes == tiny_data.CLASSES
    for row, other in found_again(found, wanted, SHARES[engine])[::5]:
        size = found.sizes[found.image[row]]
        mask, other = unpack(found.mask[row], *size), unpack(wanted.mask[other], *size)
        assert (mask != other).mean() < 0.01 and other.any()


@pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])
def test_autofocus(folder, engine):
    pytest.importorskip(engine, reason=REASON)
    below = os.path.join(folder, 'focused')
    config, paths = tiny_data.settings(below, **FOCUS), pictures(below)
    with Detector.load(tiny_data.CONFIG, config) as detector:
        wanted = detector.detect(paths)
    with Detector.load(tiny_data.CONFIG, [*config, 'TEST.ENGINE', engine, 'TEST.ONNX',
                                          os.path.join(below, 'net.onnx')]) as detector:
        found_again(detector.detect(paths), wanted, SHARES[engine])


def test_bfloat16_leaves_coordinates_alone(folder):
    """OpenVINO keeps what leads to an output exact: coordinates and scores of proposals become outputs, and stay
    inside."""
    openvino = pytest.importorskip('openvino', reason=REASON)
    network = os.path.join(folder, 'net.onnx')
    model = openvino.Core().read_model(network)
    before = len(model.outputs)
    keep_exact(model)
    kept = {output.get_node().input_value(0).get_node() for output in model.outputs[before:]}
    readers = {reader.get_node().get_type_name() for node in kept for output in node.outputs()
               for reader in output.get_target_inputs()}
    assert {'ROIAlign', 'NonMaxSuppression', 'TopK'} <= readers
    with Detector.load(network, {'TEST.ENGINE': 'openvino', 'TEST.PRECISION': 'bf16', 'gpus': 'cpu'}) as detector:
        assert len(detector.detect(pictures(folder)[0])) > 10


def test_without_mxnet(folder):
    """A test of the data set, and a demo that has the file alone."""
    settings = tiny_data.settings(folder, RPN_POST_NMS_TOP_N=20)
    network = os.path.join(folder, 'net.onnx')
    status, _, err = without_mxnet("""
import demo, main_test
main_test.main(['--cfg', sys.argv[1], '--set', *sys.argv[4:], 'TEST.ONNX', sys.argv[2], 'TEST.CONCURRENT_JOBS', '1'])
demo.main(['--cfg', sys.argv[2], '--im_path', sys.argv[3], '--json', sys.argv[3] + '.json'])
assert not any('mxnet' in name for name in sys.modules)
""", tiny_data.CONFIG, network, pictures(folder)[0], *settings)
    assert not status, err
    with open(pictures(folder)[0] + '.json', encoding='utf-8') as stream:
        assert len(json.load(stream)['categories']) == 2
    main_test.main(['--cfg', tiny_data.CONFIG, '--set', *settings])
    one, other = (json.load(open(tiny_data.results(folder, 'detections_val_metrics.json', weights=name)))
                  for name in ('net-0000-onnxruntime', 'SNIPER-0001'))
    assert abs(one['AP'] - other['AP']) < 5e-4


def test_another_network_than_the_configurations(folder):
    network = os.path.join(folder, 'net.onnx')
    for words, said in ((['TEST.RPN_POST_NMS_TOP_N', '30'], 'RPN_POST_NMS_TOP_N 20, now 30'),
                        (['TEST.AUTO_FOCUS', 'True'], 'AUTO_FOCUS False, now True'),
                        (['TEST.PRECISION', 'int8'], 'in fp32')):
        with pytest.raises(SniperError, match=f'net.onnx was exported .*{said}'), Detector.load(
                tiny_data.CONFIG, tiny_data.settings(folder) + ['TEST.ONNX', network, *words]) as detector:
            detector.detect(pictures(folder)[0])
