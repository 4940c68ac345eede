"""Exported networks in fewer bits: weights and products in float16, or in int8 after calibration on pictures.

Scores, box deltas and the offsets of deformable layers (Task.float32_layers) stay in float32, as in MXNet, and so does
where proposals, samples and poolings lie: a place in float16 is a pixel off from 2048 on.
"""
import logging
import os
import tempfile
import warnings

from lib.engine.calibrate import calibration_roidb
from lib.export.network import Exported, export_model_of, with_facts
from lib.iterators import TestIterator
from lib.utils.quiet_loggers import quiet_loggers

logger = logging.getLogger(__name__)

PRODUCTS = ('Conv', 'Gemm')
# What passes numbers on as they are, or nearly: in float16 too where it lies between products.
NEUTRAL = ('ConvTranspose', 'Relu', 'Add', 'MaxPool', 'BatchNormalization', 'Concat', 'Clip')
OWN_OPERATORS = ('GridSample', 'RoiAlign', 'NonMaxSuppression', 'MaxRoiPool')


def lower_precision(task, exported: Exported, precision: str) -> Exported:
    """The same network in 'fp16' or 'int8', the latter calibrated on the pictures of TEST.CALIBRATION_IMAGES, or of the
    training set. SniperError if there are none."""
    if precision == 'fp32':
        return exported
    layers = sorted({node.name.split('/')[0] for node in exported.model.graph.node})
    exact = task.float32_layers(layers)
    model = (_to_float16 if precision == 'fp16' else _to_int8)(task, exported, exact)
    return with_facts(export_model_of(exported, model), precision=precision)


def _to_float16(task, exported, exact):
    from onnxruntime.transformers.float16 import convert_float_to_float16
    own = {node.name.split('/')[0] for node in exported.model.graph.node if node.op_type in OWN_OPERATORS}
    kept = [node.name for node in exported.model.graph.node if not (
        node.op_type in PRODUCTS or node.op_type in NEUTRAL and node.name.split('/')[0] not in own)
        or node.name.split('/')[0] in exact]
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')     # of weights below the smallest number of float16, which become that
        return _in_order(convert_float_to_float16(exported.model, keep_io_types=True, node_block_list=kept))


def _in_order(model):
    """The model with every node behind those that it reads from; casts of inputs come last of the converter."""
    known = {''} | {value.name for values in (model.graph.input, model.graph.initializer) for value in values}
    waiting, order = list(model.graph.node), []
    while waiting:
        ready = []
        for node in waiting:
            if known.issuperset(node.input):
                known.update(node.output)
                ready.append(node)
        order += ready
        done = set(map(id, ready))
        waiting = [node for node in waiting if id(node) not in done]
    nodes = [type(node).FromString(node.SerializeToString()) for node in order]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _to_int8(task, exported, exact):
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    first = {node.name for node in exported.model.graph.node if node.op_type == 'Conv'
             and node.input[0] in exported.facts['inputs']}
    kept = [node.name for node in exported.model.graph.node if node.op_type in PRODUCTS
            and (node.name in first or node.name.split('/')[0] in exact)]
    with tempfile.TemporaryDirectory(prefix='sniper_') as folder, quiet_loggers('', level=logging.ERROR):
        source, target = (os.path.join(folder, name) for name in ('float.onnx', 'int8.onnx'))
        onnx.save(exported.model, source)
        reader = _Pictures(task.config, exported.facts['inputs'])
        quantize_static(source, target, reader, quant_format=QuantFormat.QDQ, per_channel=True,
                        op_types_to_quantize=list(PRODUCTS), nodes_to_exclude=kept,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
        logger.info('int8: calibrated on %d pictures', reader.count)
        return onnx.load(target)


class _Pictures:
    """Inputs of the network, a picture at a time, at the scales of TEST.SCALES in turn, as quantize_static asks for
    them."""

    def __init__(self, config, names):
        self.count = 0
        self._names = names
        self._batches = self._of(config, calibration_roidb(config))

    def _of(self, config, roidb):
        scales = len(config.TEST.SCALES)
        for index in range(scales):
            if roidb[index::scales]:
                with TestIterator(roidb[index::scales], config, index, 1, num_workers=0) as batches:
                    for batch in batches:
                        if not batch.empty:
                            self.count += 1
                            yield {name: batch.data[name] for name in self._names}

    def get_next(self):
        """-> inputs by name, or None at the end."""
        return next(self._batches, None)
