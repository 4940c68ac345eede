"""A network to files: exported, proven, written."""
import logging
import os

import numpy as np

from lib.export.network import Exported, export_masks, export_network
from lib.export.proof import TOLERANCES, differences, picture_batch, prove, run_onnx
from lib.utils.errors import SniperError
from lib.utils.files import publish, write_temporary

logger = logging.getLogger(__name__)

MASKS_ENDING = '.masks.onnx'


def write_files(task, weights, path: str, picture: str = '') -> None:
    """Write the network that `task` tests with to `path`, and that of its masks beside it.

    picture: file of the proof's image, '' for one that is drawn. SniperError where they do not agree with MXNet.
    """
    config = task.config
    with_masks = bool(config.TEST.WITH_MASK and task.masks and not config.TEST.EXTRACT_PROPOSALS)
    masks_path = path[:-len('.onnx')] + MASKS_ENDING
    network = export_network(config, weights, task.test_graph, os.path.basename(masks_path) if with_masks else '')
    batch = picture_batch(config, picture)
    outputs = _proven(os.path.basename(path), network, batch.data)
    files = [(path, network)]
    if with_masks:
        masks = export_masks(config, network)
        _proven(os.path.basename(masks_path), masks, mask_inputs(task, outputs))
        files.append((masks_path, masks))
    _write(files)
    logger.info('%s in %s: inputs %s, outputs %s', config.symbol, ', '.join(name for name, _ in files),
                ', '.join(network.facts['inputs']), ', '.join(network.facts['outputs']))


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
    except SniperError:
        for name, _ in temporary:
            if os.path.exists(name):
                os.remove(name)
        raise
