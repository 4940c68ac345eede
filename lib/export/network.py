"""The networks of a checkpoint as ONNX models: the detector, and the one that makes masks of final boxes.

Names of inputs and outputs are those of MXNet's graphs, so that whoever runs a model needs no table. Outputs that only
hand an input on are left out; `passed_through` of the facts names them.
"""
import json
from typing import Any, Dict, NamedTuple, Optional

from configs import values_affecting
from configs.keys import plain_value
from lib.engine.exported_model import graph_settings
from lib.engine.fold import fold_batch_norms
from lib.engine.network import load_checked
from lib.export.conversion import convert
from lib.export.facts import FORMAT, KEY, MASKS, NETWORK
from lib.export.operators import CONVERTERS
from lib.tasks import get_task
from lib.utils.npz import digest
from lib.weights.paths import read_sidecar

SIZES = ((1, 128, 128), (2, 192, 160))      # of two inputs: images, height, width; what differs is of any length


class Exported(NamedTuple):
    """model: onnx.ModelProto; facts: what its property KEY says; symbol, arg_params, aux_params: the graph of MXNet
    that it does the work of."""
    model: Any
    facts: Dict[str, Any]
    symbol: Any
    arg_params: Dict[str, Any]
    aux_params: Dict[str, Any]


def export_network(config, weights, variant: str, masks: str = '') -> Exported:
    """The graph `variant` of a checkpoint. masks: file name of the network that makes masks, '' without one.

    SniperError where weights do not fit, or an operator is not known.
    """
    symbol, arg_params, aux_params = load_checked(config, weights, variant, f'the weights {weights.path}')
    facts = dict(_facts(config, weights), kind=NETWORK, variant=variant, masks=masks)
    return _exported(config, (symbol, arg_params, aux_params), facts)


def export_masks(config, network: Exported) -> Optional[Exported]:
    """The mask network beside one of export_network, with the same parameters; None if the family has none."""
    from symbols import get_detector
    graph = get_task(config, 'test').masks
    if graph is None:
        return None
    symbol = get_detector(config.symbol).symbol(config, graph.variant)
    facts = dict(network.facts, kind=MASKS, variant=graph.variant, masks='')
    return _exported(config, (symbol, network.arg_params, network.aux_params), facts)


def with_facts(exported: Exported, **facts) -> Exported:
    """The same with more facts in the model's property."""
    import onnx
    facts = dict(exported.facts, **facts)
    del exported.model.metadata_props[:]
    onnx.helper.set_model_props(exported.model, {KEY: json.dumps(facts)})
    return exported._replace(facts=facts)


def _exported(config, network, facts):
    from symbols import get_detector
    detector, (symbol, arg_params, aux_params) = get_detector(config.symbol), network
    shapes = [detector.input_shapes(config, *size, facts['variant']) for size in SIZES]
    used = set(symbol.list_arguments()) | set(symbol.list_auxiliary_states())
    folded = fold_batch_norms(symbol, *({name: array for name, array in arrays.items() if name in used}
                                        for arrays in (arg_params, aux_params)))
    converted = convert(*folded, shapes, CONVERTERS)
    facts = dict(facts, inputs=converted.inputs, outputs=converted.outputs, all_outputs=converted.all_outputs,
                 passed_through=converted.passed_through)
    model = converted.writer.model(config.symbol, {KEY: json.dumps(facts)}, _description(config, facts))
    return Exported(model, facts, symbol, arg_params, aux_params)


def _facts(config, weights):
    """What a program has to know to run the network, and which weights it is of."""
    task, settings = get_task(config, 'test'), graph_settings(config)
    pixels, source = task.pixels, weights.digest()
    return {'format': FORMAT, 'symbol': config.symbol, 'precision': 'fp32', 'classes': list(weights.classes),
            'pixels': {'name': pixels.name, 'order': pixels.order, 'means': [float(mean) for mean in pixels.means]},
            'stride': task.stride, 'scales': plain_value(config.TEST.SCALES), 'settings': settings,
            'configuration': values_affecting(config, 'detections'), 'pair': digest([source, settings])[:16],
            'source': weights.path, 'source_digest': source,
            'seen': read_sidecar(weights.prefix, weights.epoch).get('seen')}


def _description(config, facts):
    return (f'{config.symbol}, graph {facts["variant"]!r}, classes {", ".join(facts["classes"][1:][:20])}. The input '
            f'{facts["pixels"]["name"]} is {facts["pixels"]["order"]} minus the means B, G, R '
            f'{facts["pixels"]["means"]}; the property {KEY!r} has the rest.')
