"""The predictor of a test: a network for all scales, or several where graphs depend on the scale (Task.at_scale)."""
import functools

from lib.engine.engines import devices_of, engine_of
from lib.engine.precision import prepare
from lib.inference.masks import MaskingPredictor
from lib.tasks import get_task
from lib.utils.errors import SniperError

DETECTIONS, OBJECTS, FEATURE = 'detections', 'objects', 'feature'


class PredictorFactory:
    """Makes the predictor of a configuration and its weights; picklable, for inference processes.

    reads: DETECTIONS, what the task tests with; OBJECTS, its graph with a feature map (Task.feature); FEATURE, that map
    alone. With TEST.PRECISION int8 they are calibrated here, once for all processes, unless that was done by an earlier
    run. SniperError: one optimised graph for several, a network without a feature map that is to be read.
    """

    def __init__(self, config, weights, reads: str = DETECTIONS):
        self._config, self._reads = config, reads
        self._tasks = graph_tasks(config)   # other processes learn of a family, wherever it is registered, with these
        key = 'TEST.ONNX' if weights.onnx else 'TEST.OPTIMIZED'
        if (weights.onnx or weights.optimized) and len(self._tasks) > 1:
            raise SniperError(f'{key} {weights.onnx or weights.prefix} is one network, but {config.symbol} has several '
                              f'for TEST.SCALES {config.TEST.SCALES}: give one scale, or leave {key} out')
        self._weights = {task: _settled(task, weights, reads) for task in dict.fromkeys(self._tasks)}

    def __call__(self):
        """-> Predictor, with TEST.WITH_MASK a MaskingPredictor around it, or ScalePredictors. SniperError: broken file,
        GPU absent, unknown network, no mask head, a precision that is not to be had."""
        prepare(self._config)  # before MXNet loads, in every process
        makers = {task: functools.partial(_predictor, task, weights, self._reads)
                  for task, weights in self._weights.items()}
        if len(self._tasks) == 1:
            return makers[self._tasks[0]]()
        return ScalePredictors([makers[task] for task in self._tasks])


class ScalePredictors:
    """Predictors of the scales, each made when its first batch comes, from `makers`: callables, one a scale; scales
    that have the same share what it makes."""

    def __init__(self, makers):
        self._makers, self._made = list(makers), {}

    @property
    def devices(self):
        """Number of devices, the same for all."""
        return (next(iter(self._made.values())) if self._made else self._of_scale(0)).devices

    def predict(self, batch):
        """See lib.engine.predictor; by the scale whose windows the batch has."""
        return self._of_scale(batch.windows[0].level).predict(batch)

    def close(self):
        """Free all that were made."""
        while self._made:
            self._made.popitem()[1].close()

    def _of_scale(self, index):
        maker = self._makers[index]
        if maker not in self._made:
            self._made[maker] = maker()
        return self._made[maker]


def graph_tasks(config) -> list:
    """Tasks of the test's graphs: one for all scales, or one a scale."""
    task = get_task(config, 'test')
    found = [task.at_scale(index) for index in range(len(config.TEST.SCALES))]
    return [task] if all(of_scale is task for of_scale in found) else found


def _variant(task, reads):
    """Name of the detector's graph."""
    if reads != DETECTIONS and task.feature is None:
        raise SniperError(f'{task.config.symbol} gives no feature map that other classes could be told apart by: '
                          'take another network (docs/fewshot.md)')
    return task.test_graph if reads == DETECTIONS else task.feature.variant


def _settled(task, weights, reads):
    """Weights that every process can load without further work."""
    if weights.onnx:
        if reads != DETECTIONS:
            raise SniperError(f'{weights.onnx} gives detections, and no feature map that new classes could be learnt '
                              'on: take the checkpoint, with TEST.ENGINE mxnet')
        return weights
    from lib.engine.network import calibrated_weights
    return calibrated_weights(task.config, weights, _variant(task, reads))


def _exported_predictor(task, weights):
    """In ONNX Runtime or OpenVINO."""
    from lib.engine import onnx_facts
    from lib.engine.onnx_predictor import OnnxPredictor
    config, path = task.config, weights.onnx
    facts, make = onnx_facts.read_facts(path), functools.partial(
        OnnxPredictor, engine=engine_of(config), devices=devices_of(config), precision=config.TEST.PRECISION)
    onnx_facts.check_network(path, facts, config, task.test_graph)
    if not _makes_masks(config, DETECTIONS):
        return make(path, advice=task.advice)
    masks_path = onnx_facts.masks_path(path, facts)
    return MaskingPredictor(make(path, advice=task.advice), make(masks_path, kind=onnx_facts.MASKS), task.masks)


def _makes_masks(config, reads):
    return config.TEST.WITH_MASK and not config.TEST.EXTRACT_PROPOSALS and reads == DETECTIONS


def _predictor(task, weights, reads):
    if weights.onnx:
        return _exported_predictor(task, weights)
    from lib.engine.devices import contexts
    from lib.engine.network import load_network, whose_network
    from lib.engine.predictor import Predictor
    from symbols import get_detector
    config, graph = task.config, task.masks
    devices, detector = contexts(config), get_detector(config.symbol)
    masks = _makes_masks(config, reads)
    if masks and (graph is None or not hasattr(detector, f'{graph.variant}_symbol')):
        raise SniperError(f'TEST.WITH_MASK is True, but the network {config.symbol} has no mask head: set it to False')
    network = load_network(config, weights, _variant(task, reads), devices)
    symbol = network.symbol[task.feature.output] if reads == FEATURE else network.symbol
    source = f'the weights {weights.path}'
    predictor = Predictor(symbol, network.arg_params, network.aux_params, devices, source,
                          network.made_together, advice=task.advice, whose=whose_network(config, weights))
    if masks:
        mask_predictor = Predictor(detector.symbol(config, graph.variant), network.arg_params, network.aux_params,
                                   devices, source)
        return MaskingPredictor(predictor, mask_predictor, graph)
    return predictor
