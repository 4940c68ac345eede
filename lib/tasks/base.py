"""What a family of detectors says about itself. Everything outside lib/tasks and symbols/detectors asks a Task.

Free of MXNet: worker processes hold a task too. A task travels by pickle as its class and configuration.
"""
import fnmatch
from typing import Dict, Hashable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from configs import ConfigError
from configs.keys import declared_keys, default_values, plain_value, value_of
from lib.bbox.detections import Detections
from lib.bbox.nms import nms
from lib.chips.samplers import make_sampler
from lib.chips.scales import test_scale
from lib.chips.window import Window
from lib.image import write_planes
from lib.targets.chip_boxes import ChipBoxes


class Input(NamedTuple):
    """An input of the training graph. shape: of one sample, without the batch; role: 'data' or 'label'."""
    name: str
    shape: Tuple[int, ...]
    role: str = 'data'


class Metric(NamedTuple):
    """A running average in the progress lines: a sum over the labels that are not -1, divided by their number.

    kind: 'accuracy' (share of largest classes that are the label), 'log_loss' (-log(p + 1e-14) of the labelled class),
        'l1' (sum of the output).
    output: the graph's output that is summed up. label: name of a label input, or of a graph output where the graph
        makes the labels itself; '' with kind 'l1' divides by the rows of the output: samples, or
        devices where it is their mean (1,).
    class_axis: of the output, for the first two kinds.
    """
    name: str
    kind: str
    output: str
    label: str
    class_axis: int = 1


class BoxLayer(NamedTuple):
    """A layer that learns (delta - mean) / std; checkpoints hold `<name>_test` arrays too, which give deltas directly.

    weight, bias: names of its parameters. means, stds: (4,) dx, dy, dw, dh as this configuration has them.
    means_key, stds_key: where they stand in a configuration, for files that another one was trained with. rows_each:
    rows of the layer, one after another, that each number is for. untold: (means, stds) of files without `_test` arrays
    that do not say what they were trained with; None: these are taken as they are.
    """
    weight: str
    bias: str
    means: Sequence[float]
    stds: Sequence[float]
    means_key: str = 'TRAIN.BBOX_MEANS'
    stds_key: str = 'TRAIN.BBOX_STDS'
    rows_each: int = 1
    untold: Optional[Tuple[Sequence[float], Sequence[float]]] = None


class Pixels(NamedTuple):
    """What is done to the pixels of a window. means: (3,) float32 blue, green, red, subtracted; name: of the input;
    order: of its three planes, 'RGB' or 'BGR'."""
    means: np.ndarray
    name: str = 'data'
    order: str = 'RGB'

    def write(self, pixels: np.ndarray, out: np.ndarray) -> Tuple[int, int]:
        """(H, W, 3) uint8 B, G, R -> top left of out (3, h, w) float32, in `order`, minus means; -> (height, width).

        What does not fit is cut off, what is not reached is zero.
        """
        if self.order == 'BGR':     # the planes of the swapped picture
            return write_planes(np.ascontiguousarray(pixels[:, :, ::-1]), self.means[::-1], out)
        return write_planes(pixels, self.means, out)


class MaskGraph(NamedTuple):
    """How masks of final boxes are made: a graph of its own that reads a feature map of the test graph.

    variant: of the detector's graphs. feature_output: of the test graph (B, C, H, W). feature, rois: the mask graph's
    inputs; rois (R, 5) number in the batch, x1, y1, x2, y2. output: (R, K, S, S), row k is the mask of label k + 1.
    """
    variant: str
    feature_output: str
    feature: str
    rois: str
    output: str


class FocusOutput(NamedTuple):
    """The test graph's output (B, 2, h, w) whose channel 1 is the probability of FocusPixels; stride: pixels a cell."""
    name: str
    stride: int


class FeatureGraph(NamedTuple):
    """What classes that the network does not know are told apart by: a feature map of the whole window.

    variant: of the detector's graphs, with the outputs that Task.objects reads and `output`, the map (B, C, h, w);
    stride: pixels of the network's input a cell.
    """
    variant: str
    output: str
    stride: int


class TargetReport(NamedTuple):
    """Objects of a window that did not fit into its arrays: left out, and with simplified polygons.

    most: in a report over an epoch, the largest number that one window had to leave out.
    """
    dropped: int = 0
    simplified: int = 0
    most: int = 0


OBJECT_NMS = 0.7     # overlap above which two boxes are the same object, whatever it is: as among proposals


class Task:
    """A family of detectors under one configuration. Subclasses say what differs; `name` is that of the registry.

    train_graph, test_graph: which of the detector's graphs is trained and tested (symbols.get_detector(...).symbol).
    exact_sizes: the network sees all images of a scale at one size, by 'input' in TEST.SCALES at that of its training.
    whole_corners: corners of boxes are pixels, x2 - x1 + 1 from side to side; False: they are places, x2 - x1 apart.
    tells_classes: the network has outputs for each class of the data set; False: all it finds is of one class, 'object'
        (label 1), and is scored so.
    open_where_none: where no detection of an image lies in TEST.VALID_RANGES of its scale, all of that scale count.
    draws_pictures: training pictures are made of windows at random, see `drawn_picture`.
    tells_boxes: it tells valid objects of a window from others, see `boxes_of_window`.
    largest_batch: samples an update, of all devices and workers, up to which published rates are known to hold; a
        training with more, and its rate not scaled, warns. None: nothing is known.
    size_keys: what to make smaller where memory is too small, beside the batch.
    unused_keys: patterns, as fnmatch has them, of keys of other families that this one does not read.
    row_keys: those that say what the rows of `output_rows` are, beside the classes.
    """

    name = ''
    train_graph, test_graph = 'train', 'test'
    exact_sizes = False
    whole_corners = True
    tells_classes = True
    open_where_none = False
    draws_pictures = False
    tells_boxes = False
    largest_batch: Optional[int] = None
    size_keys = 'TRAIN.CHIP_SIZE'
    unused_keys: Sequence[str] = ()
    row_keys: Sequence[str] = ()

    def __init__(self, config):
        """config: of a run, which may still change: nothing is kept of it but itself."""
        self.config = config

    def __reduce__(self):
        return type(self), (self.config,)

    @classmethod
    def for_purpose(cls, config, purpose: str) -> 'Task':
        """The task of a run: 'train', 'test' or 'demo'. A family may have another task for a part of its network."""
        return cls(config)

    def check(self, purpose: str) -> None:
        """ConfigError if keys of this family contradict each other, as far as the purpose uses them."""

    def remarks(self, purpose: str) -> List[str]:
        """What a log should say of a configuration that may be used and hardly means what it says: sentences."""
        other = 'TEST.' if purpose == 'train' else 'TRAIN.'
        names = [name for name, key in declared_keys().items() if not key.unused and not name.startswith(other)
                 and any(fnmatch.fnmatchcase(name, pattern) for pattern in self.unused_keys)]
        changed = [name for name, default in default_values(names).items()
                   if _is_another(plain_value(value_of(self.config, name)), default)]
        return [f'{self.config.symbol} does not use {", ".join(changed)}: what the configuration says there has no '
                'effect'] if changed else []

    # training

    def sampler(self):
        """What an epoch is made of: an object with `windows(record, rng) -> [Window]`, see lib.chips.samplers."""
        return make_sampler(self.config)

    @property
    def input_size(self) -> Tuple[int, int]:
        """(height, width) of the training graph's pixels."""
        return (self.config.TRAIN.CHIP_SIZE,) * 2

    def inputs(self) -> List[Input]:
        """Inputs of the training graph, data before labels, in the order in which batches hold them."""
        raise NotImplementedError

    def layout(self, batch_size: int) -> Tuple[list, ...]:
        """`inputs` of a batch: (data, labels), each a list of (name, shape with the batch)."""
        return tuple([(name, (batch_size, *shape)) for name, shape, role in self.inputs() if role == wanted]
                     for wanted in ('data', 'label'))

    def drawn_picture(self, pixels: np.ndarray, record, window: Window, rng) -> Tuple[np.ndarray, dict, Window]:
        """A training picture made at random of a window, where `draws_pictures` says so, in place of the window.

        pixels: (H, W, 3) uint8 B, G, R, of the window at the size of the image file; record, rng: see `targets`.
        -> (pixels of the new picture, its record with width, height and boxes in pixels of it, the window of the new
        picture that `targets` and the network's input are made of).
        """
        raise NotImplementedError

    def targets(self, record, window: Window, rng, out: Dict[str, np.ndarray]) -> TargetReport:
        """Fill the arrays of one sample, all of `inputs` but the pixels.

        record: roidb record, proposals as rows after the objects; rng: numpy Generator of this sample alone;
        out: input name -> float32 array of the input's shape, with whatever an earlier sample left there.
        """
        raise NotImplementedError

    def boxes_of_window(self, record, window: Window) -> ChipBoxes:
        """What the network is told of the objects of a window, valid or not, where `tells_boxes` says so."""
        raise NotImplementedError

    def told(self, out: Dict[str, np.ndarray]) -> List[str]:
        """What the arrays of a sample that `targets` filled say, in figures, for pictures of it."""
        return []

    def left_out(self, report: TargetReport) -> List[str]:
        """What to warn of after an epoch; report: sums over it."""
        lines = [f'{report.dropped} objects did not fit into the inputs of the network'] if report.dropped else []
        return lines + ([f'{report.simplified} times, the polygons of an object did not fit into its inputs and were '
                         'simplified'] if report.simplified else [])

    def metrics(self) -> List[Metric]:
        """What to report while training, in the order of the progress lines."""
        return []

    @property
    def box_layer(self) -> Optional[BoxLayer]:
        """The layer whose targets are normalised; None if there is none."""
        return None

    def output_rows(self, classes: Sequence[Hashable]) -> Dict[str, List[Hashable]]:
        """{name of an array: what each of its rows is for}, of heads' last layers, whose rows belong to classes,
        anchors and the like. Weights for other classes lend the rows that mean the same (lib.train.output_rows).

        classes: with background first. A row is for any value that stands for it and is no other row's in its array.
        """
        return {}

    def constants(self, classes: Sequence[str]) -> Dict[str, np.ndarray]:
        """{name of a parameter: what it holds} of parameters that say something of the classes and do not learn.

        classes: of the training, background first. Asked where weights are new; checkpoints hold them.
        """
        return {}

    def size_warnings(self, scales, sizes) -> List[str]:
        """What the family's own keys do not suit of the objects' sizes in training: sentences with figure and mend.

        scales: list of lib.chips.seen_sizes.SeenScale; sizes: lib.dataset.object_sizes.ObjectSizes, with objects.
        """
        return []

    def test_size_warnings(self, scales, sizes) -> List[str]:
        """The same of a test."""
        return []

    # inference

    def at_scale(self, index: int) -> 'Task':
        """The task that makes the graph of entry `index` of TEST.SCALES and decodes what that gives: this one, unless
        graphs depend on the scale; then one whose configuration has that scale alone."""
        return self

    def decode(self, outputs: Dict[str, np.ndarray], windows: Sequence[Window]) -> Detections:
        """Outputs of the test graph for a batch of windows -> detections of a score above TEST.SCORE_THRESH.

        `image` of a detection is the position of its window; boxes are in pixels of the original image. Windows come
        in order, and in a window detections come class by class.
        """
        raise NotImplementedError

    def test_scales(self, index: int, width: int, height: int) -> Tuple[float, float]:
        """(horizontal, vertical) factors from an image of width x height pixels to the network's at entry `index` of
        TEST.SCALES."""
        test = self.config.TEST
        return (test_scale(test.SCALES[index], width, height, test.SLICES[index] > 0),) * 2

    def advice(self, missing: Sequence[str]) -> str:
        """What a user can try, as the end of a sentence, where a graph wants inputs or parameters named `missing` that
        are not there; '' if nothing comes to mind."""
        return ''

    def float32_layers(self, names: Sequence[str]) -> Set[str]:
        """Those of `names` (layers) that keep float32 where the rest computes in fewer bits."""
        return set()

    @property
    def masks(self) -> Optional[MaskGraph]:
        """How the network makes masks; None if it does not."""
        return None

    @property
    def focus(self) -> Optional[FocusOutput]:
        """Where the network says how small objects are found at the next scale; None if it does not."""
        return None

    @property
    def feature(self) -> Optional[FeatureGraph]:
        """Where the network gives the feature map that lib.fewshot learns new classes from; None if it does not."""
        return None

    def objects(self, outputs: Dict[str, np.ndarray], windows: Sequence[Window]) -> Detections:
        """Outputs of the graph `feature.variant` -> objects, whatever they are: label 0, score P(object).

        As `decode` has images and boxes; in a window the best come first, and none overlaps a better one by more than
        OBJECT_NMS. Here: the boxes of all classes, each with its best class' score.
        """
        found = self.decode(outputs, windows)
        return best_boxes(found.replace(label=np.zeros(len(found))))

    # both

    @property
    def rounds_up(self) -> bool:
        """Whether sides of resized test images are rounded up to whole pixels, or to the nearest number."""
        return not self.exact_sizes

    @property
    def pixels(self) -> Pixels:
        """What becomes of the pixels of a window."""
        return Pixels(np.asarray(self.config.network.PIXEL_MEANS, np.float32))

    @property
    def stride(self) -> int:
        """Input pixels a cell of the feature map; 1 where that says nothing."""
        return 1


def _is_another(value, default):
    """Whether a key says something else than its default, which a list an entry a scale does not by its length."""
    if isinstance(value, list) and isinstance(default, list):
        return any(item not in default for item in value)
    return value != default


def best_boxes(found: Detections, overlap: float = OBJECT_NMS) -> Detections:
    """Of each image the boxes that no better one, of whatever class, overlaps by more than `overlap`, best first."""
    rows, kept = found.rows(), [np.zeros(0, np.intp)]
    for image in np.unique(found.image):
        of_image = np.flatnonzero(found.image == image)
        kept.append(of_image[nms(rows[of_image], overlap)])
    return found.take(np.concatenate(kept))


def require(condition: bool, message: str) -> None:
    """ConfigError with `message` unless the condition holds."""
    if not condition:
        raise ConfigError(message)


def at_least(config, section: str, low, names: str) -> None:
    """ConfigError unless the keys of a section, names with spaces between, are `low` or more."""
    for name in names.split():
        value = config[section][name]
        require(value >= low, f'{section}.{name} is {value}; it must be {low} or more')


def refuse_switches(config, purpose: str, names: Mapping[str, Sequence[str]]) -> None:
    """ConfigError if a switch of other families is on. names: {'TRAIN': (...), 'TEST': (...)}, of which the purpose
    takes one."""
    section = 'TRAIN' if purpose == 'train' else 'TEST'
    for name in names[section]:
        require(not config[section][name],
                f'{section}.{name} is True, but {config.symbol} has nothing of the kind: set it to False, or choose '
                'a network that has')


def check_anchor_overlaps(train) -> None:
    """ConfigError if an anchor could be an object and background."""
    require(train.RPN_NEGATIVE_OVERLAP <= train.RPN_POSITIVE_OVERLAP,
            f'TRAIN.RPN_NEGATIVE_OVERLAP, {train.RPN_NEGATIVE_OVERLAP}, is above RPN_POSITIVE_OVERLAP, '
            f'{train.RPN_POSITIVE_OVERLAP}')


def without_row(report: TargetReport, rows: int) -> List[str]:
    """What to warn of where objects did not fit into the `rows` of gt_boxes, TRAIN.MAX_GT."""
    return [f'{report.dropped} objects did not fit into the {rows} rows of gt_boxes; raise TRAIN.MAX_GT to '
            f'{rows + report.most}'] if report.dropped else []


def rows_of(layer: str, rows: List[Hashable]) -> Dict[str, List[Hashable]]:
    """Rows of a layer's weights and biases, see Task.output_rows."""
    return {f'{layer}_weight': rows, f'{layer}_bias': rows}
