"""Pictures in, boxes out, for every family, against the task's own decoding."""
import cv2
import numpy as np
import pytest

from lib.engine.graph import Graph
from lib.export.boxes_proof import missing_boxes, own_boxes, prove_boxes
from lib.export.proof import drawn_picture, picture_batch, run_onnx
from lib.inference.predictors import graph_tasks
from lib.utils.errors import SniperError
from tests.export.engines import loaded
from tests.export.test_networks import ARM, FEW, TINY, configuration, network_of

onnx = pytest.importorskip('onnx', reason='onnx is not installed (requirements-onnx.txt)')
pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (requirements-onnx.txt)')
PLAIN = ('TEST.SCALES', '[1x]')
FAMILIES = {
    'sniper_tiny': (TINY, FEW + PLAIN),
    'few': (TINY, FEW + PLAIN + ('TEST.NMS', 0.3, 'TEST.MAX_PER_IMAGE', 5, 'TEST.MAX_PER_CLASS', 2)),
    'rfcn_3k_tiny': ('rfcn3k/rfcn3k_tiny.yml', FEW + PLAIN + ('RFCN.num_super_classes', 2)),
    'slim_arm_net': (ARM, FEW + PLAIN),
    'm2det_tiny': ('m2det/m2det_tiny.yml', ()),
    'ssh_tiny': ('ssh/ssh_tiny.yml', PLAIN),
}


def for_pixels(network):
    """Drawn weights whose first layer takes pixels, from -128 to 128."""
    symbol, arg_params, aux_params = network
    for node in Graph(symbol).nodes():
        if node.inputs and node.inputs[0].node.name == 'data':
            arg_params[node.inputs[1].node.name] *= 1 / 60
    return symbol, arg_params, aux_params


def exported(file, keys):
    """(task, network, the same with pictures) of drawn weights."""
    from lib.export.network import export_graph
    from lib.export.pictures import with_pictures
    config = configuration(file, keys)
    task, = graph_tasks(config)
    pixels = task.pixels
    facts = {'variant': task.test_graph, 'classes': ['', 'any'], 'pixels': {
        'name': pixels.name, 'order': pixels.order, 'means': [float(mean) for mean in pixels.means]}}
    network = export_graph(task.config, for_pixels(network_of(task.config, task.test_graph)), facts)
    return task, network, with_pictures(task, network)


@pytest.mark.parametrize('scale', ('1.4x', '0.45x', '(77, 90)', '(40, 0)', '111px', '1x'))
def test_resizing(scale, tmp_path):
    """As OpenCV does it in a test: one grey level of 256 apart at most, in few pixels."""
    from lib.export.pictures import before_network
    task, network, _ = exported(TINY, FEW + ('TEST.SCALES', f'[{scale}]'))
    picture = drawn_picture(61, 83)
    cv2.imwrite(str(tmp_path / 'a.png'), picture)
    wanted = picture_batch(task.config, str(tmp_path / 'a.png')).data
    found = run_onnx(before_network(task, network).SerializeToString(), {'image': picture[:, :, ::-1].copy()})
    np.testing.assert_allclose(found['im_info'], wanted['im_info'], rtol=1e-6)
    assert found['data'].shape == wanted['data'].shape
    apart = np.abs(found['data'] - wanted['data'])
    assert apart.max() < 1.01 and (apart > 0.1).mean() < 0.03


@pytest.mark.parametrize('name', FAMILIES)
def test_boxes(name, tmp_path):
    """Of a picture of odd sides: the same boxes as decoding and suppression here give."""
    task, network, whole = exported(*FAMILIES[name])
    picture = drawn_picture(61, 83)
    cv2.imwrite(str(tmp_path / 'a.png'), picture)
    batch = picture_batch(task.config, str(tmp_path / 'a.png'))
    prove_boxes(name, task, whole, network, batch, picture)
    answer = run_onnx(whole.model.SerializeToString(), {'image': np.ascontiguousarray(picture[:, :, ::-1])})
    boxes, classes, scores = (answer[name] for name in ('boxes', 'classes', 'scores'))
    assert boxes.shape == (len(scores), 4) and classes.dtype == np.int64 and classes.min() >= 1
    assert (np.diff(scores) <= 0).all()
    outputs = dict(batch.data, **run_onnx(network.model.SerializeToString(), batch.data))
    wanted = own_boxes(task, outputs, batch.windows)
    assert (wanted[2] > 0.1).sum() >= 3 and abs(len(wanted[2]) - len(scores)) <= 0.1 * len(scores)
    if name == 'sniper_tiny':
        pytest.importorskip('openvino', reason='openvino is not installed (requirements-onnx.txt)')
        other = loaded('openvino', whole.model)({'image': np.ascontiguousarray(picture[:, :, ::-1])})
        assert missing_boxes(wanted, (other['boxes'], other['classes'], other['scores']))[1] == 0


def test_other_boxes_are_refused():
    task, network, _ = exported(TINY, FEW + ('TEST.SCALES', '[1x]'))
    _, _, other = exported(TINY, FEW + ('TEST.SCALES', '[2x]'))
    with pytest.raises(SniperError, match='does not find the boxes that a test finds'):
        prove_boxes('a', task, other, network, picture_batch(task.config), drawn_picture(240, 320))
