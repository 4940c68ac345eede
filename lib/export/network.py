"""The networks of a checkpoint as ONNX models: the detector, and the one that makes masks of final boxes.

Names of inputs and outputs are those of MXNet's graphs, so that whoever runs a model needs no table. Outputs that only
hand an input on are left out; `passed_through` of the facts names them.
"""
import json
from typing import Any, Dict, NamedTuple, Tuple

from configs import values_affecting
from configs.keys import plain_value
from lib.engine.exported_model import graph_settings
from lib.engine.fold import fold_batch_norms
from lib.engine.network import load_checked
from lib.engine.onnx_facts import FORMAT, KEY, MASKS, NETWORK
from lib.engine.predictor import check_shapes
from lib.export.conversion import convert
from lib.export.operators import CONVERTERS
from lib.tasks import get_task
from lib.utils.errors import SniperError
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
    return export_graph(config, (symbol, arg_params, aux_params), facts)


def export_masks(config, network: Exported) -> Exported:
    """The mask network beside one of export_network, with the same parameters. SniperError if these have none, or the
    detector has no mask head."""
    from symbols import get_detector
    detector, variant = get_detector(config.symbol), get_task(config, 'test').masks.variant
    if not hasattr(detector, f'{variant}_symbol'):
        raise SniperError(f'TEST.WITH_MASK is True, but the network {config.symbol} has no mask head: set it to False')
    symbol, shapes = detector.symbol(config, variant), detector.input_shapes(config, *SIZES[0], variant)
    check_shapes(symbol, network.arg_params, network.aux_params, shapes, f'the weights {network.facts["source"]}')
    facts = dict(network.facts, kind=MASKS, variant=variant, masks='')
    return export_graph(config, (symbol, network.arg_params, network.aux_params), facts)


def with_facts(exported: Exported, **facts) -> Exported:
    """The same with more facts, in the model's property too."""
    facts = dict(exported.facts, **facts)
    for entry in exported.model.metadata_props:
        if entry.key == KEY:
            entry.value = json.dumps(facts)
    return exported._replace(facts=facts)


def export_model_of(exported: Exported, model: Any) -> Exported:
    """The same with another model, which may have lost its properties, and is checked."""
    import onnx
    used = {node.domain for node in model.graph.node}
    versions = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(versions)
    onnx.helper.set_model_props(model, {KEY: json.dumps(exported.facts)})
    model.producer_name, model.doc_string = exported.model.producer_name, exported.model.doc_string
    onnx.checker.check_model(model, full_check=True)
    return exported._replace(model=model)


def export_graph(config, network: Tuple[Any, Dict[str, Any], Dict[str, Any]], facts: Dict[str, Any]) -> Exported:
    """A graph of a detector and its parameters, (symbol, arg_params, aux_params), with the facts so far, among them
    `variant`, which graph it is, `classes` and `pixels`."""
    from symbols import get_detector
    detector, (symbol, arg_params, aux_params) = get_detector(config.symbol), network
    shapes = [detector.input_shapes(config, *size, facts['variant']) for size in SIZES]
    used = set(symbol.list_arguments()) | set(symbol.list_auxiliary_states())
    folded, args, auxs = fold_batch_norms(symbol, *({name: array for name, array in arrays.items() if name in used}
                                                    for arrays in (arg_params, aux_params)))
    converted = convert(folded, args, auxs, shapes, CONVERTERS)
    facts = dict(facts, inputs=converted.inputs, outputs=converted.outputs, all_outputs=converted.all_outputs,
                 passed_through=converted.passed_through)
    model = converted.writer.model(config.symbol, {KEY: json.dumps(facts)}, _description(config, facts))
    return Exported(model, facts, symbol, arg_params, aux_params)


def _facts(config, weights):
    """What a program has to know to run the network, and which weights it is of."""
    task, settings = get_task(config, 'test'), graph_settings(config)
    pixels, source = task.pixels, weights._replace(treatment='').digest()
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
