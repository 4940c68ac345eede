"""A network to files: exported, proven, written."""
import logging
import os

import numpy as np

from lib.engine.onnx_facts import ENDING
from lib.engine.onnx_proof import proof_inputs, summary
from lib.export.boxes_proof import prove_boxes
from lib.export.network import Exported, export_masks, export_network, with_facts
from lib.export.pictures import IMAGE, with_pictures
from lib.export.precision import lower_precision
from lib.export.proof import TOLERANCES, differences, picture_batch, picture_pixels, prove, run_onnx
from lib.utils.files import check_writable, publish, write_temporary

logger = logging.getLogger(__name__)

MASKS_ENDING = '.masks' + ENDING


def write_files(task, weights, path: str, picture: str = '', precision: str = 'fp32') -> None:
    """Write the network that `task` tests with to `path`, and that of its masks beside it.

    picture: file of the proof's image, '' for one that is drawn. precision: see lib.export.precision; masks keep
    float32. SniperError where they do not agree with MXNet.
    """
    config = task.config
    with_masks = bool(config.TEST.WITH_MASK and task.masks and not config.TEST.EXTRACT_PROPOSALS)
    masks_path = path[:-len(ENDING)] + MASKS_ENDING
    for name in (path, masks_path) if with_masks else (path,):
        check_writable(name)    # asked before minutes of work, and before one of two takes the place of an earlier one
    network = export_network(config, weights, task.test_graph, os.path.basename(masks_path) if with_masks else '')
    network = lower_precision(task, network, precision)
    batch = picture_batch(config, picture)
    outputs = _proven(os.path.basename(path), network, batch.data)
    files = [(path, with_facts(network, proof=_fingerprint(network.model)))]
    if with_masks:
        masks = export_masks(config, network)
        _proven(os.path.basename(masks_path), masks, mask_inputs(task, outputs))
        files.append((masks_path, masks))
    _write(files)
    logger.info('%s in %s: inputs %s, outputs %s', config.symbol, ', '.join(name for name, _ in files),
                ', '.join(network.facts['inputs']), ', '.join(network.facts['outputs']))


def write_with_postprocessing(task, weights, path: str, picture: str = '', precision: str = 'fp32') -> None:
    """Write the network with what is before and behind it to `path`, see lib.export.pictures and write_files."""
    if task.config.TEST.WITH_MASK or task.config.TEST.AUTO_FOCUS:
        logger.warning('a file with post-processing gives neither masks nor chips: TEST.WITH_MASK and AUTO_FOCUS have '
                       'no effect on it')
    check_writable(path)
    network = lower_precision(task, export_network(task.config, weights, task.test_graph), precision)
    name, batch = os.path.basename(path), picture_batch(task.config, picture)
    _proven(name, network, batch.data)
    whole = with_pictures(task, network)
    prove_boxes(name, task, whole, network, batch, picture_pixels(picture))
    _write([(path, whole)])
    logger.info('%s in %s: input %s (H, W, 3) uint8 red, green, blue; outputs %s', task.config.symbol, path, IMAGE,
                ', '.join(whole.facts['outputs']))


def mask_inputs(task, outputs):
    """Inputs of the mask network: the feature of the outputs, and the first of its image's rois."""
    graph = task.masks
    return {graph.feature: outputs[graph.feature_output], graph.rois: np.ascontiguousarray(outputs['rois_output'][:20])}


def _proven(what, exported: Exported, inputs):
    """MXNet's outputs for the inputs, with which those of the exported network agree; SniperError if not."""
    wanted = run_mxnet(exported, inputs)
    tolerance = TOLERANCES[exported.facts['precision']]
    found = run_onnx(exported.model.SerializeToString(), inputs)
    prove(what, differences(wanted, found, tolerance), tolerance)
    return wanted


def _fingerprint(model):
    """A few numbers of each output for inputs that engines run too when they load the file."""
    shapes = {node.name: [side.dim_value or side.dim_param for side in node.type.tensor_type.shape.dim]
              for node in model.graph.input}
    return summary(run_onnx(model.SerializeToString(), proof_inputs(shapes)))


def run_mxnet(exported: Exported, inputs):
    """{output: array} of the graph that was exported, as a test runs it."""
    from lib.engine.predictor import Predictor
    from sniper_mxnet import mx
    predictor = Predictor(exported.symbol, exported.arg_params, exported.aux_params, [mx.cpu()])
    try:
        return predictor.predict(_Batch(inputs))
    finally:
        predictor.close()


class _Batch:
    def __init__(self, data):
        self.data = data


def _write(files):
    """Write all models, or none."""
    temporary = []
    try:
        for path, exported in files:
            temporary.append((write_temporary(path, lambda stream: stream.write(  # noqa: B023 called at once
                exported.model.SerializeToString()))[0], path))
        while temporary:
            publish(*temporary[0])
            temporary.pop(0)
    except BaseException:   # Ctrl-C, a network beyond 2 GiB
        for name, _ in temporary:
            if os.path.exists(name):
                os.remove(name)
        raise
