"""From a data set to the entries of a configuration file: what lib.suggest decides, in order, each with its reason."""
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from lib.chips.chip_sampler import ChipSampler, ChipSettings
from lib.chips.scale_fit import TrainedSizes
from lib.chips.seen_sizes import number, quantiles
from lib.dataset.image_sets import ImageSets
from lib.dataset.object_sizes import ObjectSizes, object_sizes
from lib.suggest import limits as limit
from lib.suggest.anchors import Anchors, choose_anchors
from lib.suggest.pace import Pace, Schedule, settled
from lib.suggest.scales import MINUTE_ENLARGED, Plan, plan_of_weights, plan_scales, seen_by_plan
from lib.suggest.text import Entry
from lib.tasks.anchor_fit import shown_in_training
from lib.utils.errors import SniperError
from lib.weights.initial import shipped_models
from symbols.registry import feature_stride

FEW_PICTURES = 1000     # below which colours are varied: so few are learnt by heart
ADAM_RATE, ADAM_BATCH, ADAM_WARMUP_RATE = 0.002, 8, 0.0001    # measured: docs/start_from_a_detector.md
WARM_SHARE = 0.1        # of all updates that warm-up may take


class Found(NamedTuple):
    """What the data say. weights: what the shipped weights were trained on, where they know these classes."""

    sizes: ObjectSizes          # of the training sets
    tested: ObjectSizes         # of the test set
    plan: Plan
    anchors: Anchors
    limits: limit.Limits
    weights: bool


def examine(config, roidb: Sequence, test_roidb: Sequence, memory: float,
            trained: Optional[TrainedSizes] = None) -> Found:
    """config: of the base; roidb: of the training sets, mirrored copies count as nothing; memory: bytes; trained: of
    weights that know the classes. SniperError: there is no object."""
    sizes, tested = object_sizes(roidb), object_sizes(test_roidb)
    if not len(sizes.image):
        raise SniperError(f'{config.dataset.dataset_path} has no objects in {config.dataset.image_set}: there is '
                          'nothing to suggest settings for')
    chip, pixels = config.TRAIN.CHIP_SIZE, limit.most_pixels(memory)
    plan = trained and plan_of_weights(trained, tested if len(tested.image) else sizes, chip)
    weights = plan is not None
    plan = plan or plan_scales(sizes, chip, pixels)
    shown = shown_in_training(seen_by_plan(plan, sizes), sizes)
    network, stride = config.network, feature_stride(config.symbol)
    anchors = choose_anchors(shown, stride, network.ANCHOR_RATIOS, network.ANCHOR_SCALES)
    if weights and anchors.changed:     # weights have those that they were trained with
        anchors = choose_anchors(shown[:0], stride, network.ANCHOR_RATIOS, network.ANCHOR_SCALES)
    settings = ChipSettings(tuple(f'{factor:g}x' for factor in plan.factors), plan.training, plan.chip_size,
                            tuple(config.TRAIN.CHIP_STRIDES))
    crowd = tested if len(tested.image) else sizes
    found = limit.limits(seen_by_plan(plan, crowd, test=True), crowd, ChipSampler(settings), roidb)
    return Found(sizes, tested, plan, anchors, found, weights)


def data_entries(found: ImageSets, folder: str, output_path: str, classes: Sequence[str]) -> List[Entry]:
    """Where the data are."""
    names = ', '.join(classes[1:6]) + (', ...' if len(classes) > 6 else '')
    why = ('Tested is on pictures that are trained on, for there is no other set: its figures are too good.',)
    return [Entry('output_path', output_path),
            Entry('dataset.dataset', found.format), Entry('dataset.dataset_path', folder),
            Entry('dataset.image_set', '+'.join(found.training)),
            Entry('dataset.test_image_set', found.test, why if found.shared else ()),
            Entry('dataset.NUM_CLASSES', 0, (f'As many as the data have: {len(classes) - 1} ({names}).',))]


def scale_entries(found: Found, memory: float) -> List[Entry]:
    """Scales and ranges of training and test, chips, limits, anchors."""
    plan, crowds = found.plan, found.limits
    factors = [f'{factor:g}x' for factor in plan.factors]
    entries = [
        Entry('TRAIN.CHIP_SIZE', plan.chip_size),
        Entry('TRAIN.SCALES', factors, _why_scales(found)),
        Entry('TRAIN.VALID_RANGES', plan.training, (
            'Sides of objects that each scale is trained on, in pixels of the pictures; -1 is open.',)),
        Entry('TEST.SCALES', factors, ('The factors of training, so that objects look as they did there.',)),
        Entry('TEST.VALID_RANGES', plan.test),
        Entry('TEST.BATCH_IMAGES', limit.test_batches(plan.factors, found.sizes, memory), (
            f'Pictures at a time, for {memory / 1e9:.1f} GB.',)),
        Entry('TEST.RPN_POST_NMS_TOP_N', crowds.proposals, (
            f'Proposals a picture and scale, and detections a picture: one holds up to {crowds.most[0]} objects.',)),
        Entry('TEST.MAX_PER_IMAGE', crowds.detections)]
    if crowds.objects > limit.LEAST_OBJECTS or crowds.chip_proposals > limit.LEAST_CHIP_PROPOSALS:
        entries += [Entry('TRAIN.MAX_GT', crowds.objects, (f'A chip holds up to {crowds.most[1]} objects.',)),
                    Entry('TRAIN.RPN_POST_NMS_TOP_N', crowds.chip_proposals)]
    return entries + _anchor_entries(found.anchors)


def _why_scales(found: Found) -> Tuple[str, ...]:
    sides = quantiles(found.sizes.sides)
    seen = [scale.sides(found.sizes)[scale.taken] for scale in seen_by_plan(found.plan, found.sizes)]
    spans = ['{} to {}'.format(*(number(value) for value in np.quantile(of_scale, (0.05, 0.95))))
             if len(of_scale) else '-' for of_scale in seen]
    picture = '{:.0f}x{:.0f}'.format(*found.sizes.median_picture)
    lines = [f'Objects have sides of {number(sides[1])} to {number(sides[19])} pixels (nine in ten), the largest '
             f'{number(sides[-1])};', f'pictures {picture} in the middle. The network sees objects as '
             f'{", ".join(spans)} pixels.']
    if found.weights:
        lines.append('These are the scales of the shipped weights, which know these classes.')
    if found.plan.capped:
        lines.append('Smaller objects want a finer scale, for which pictures are too large here: more --memory.')
    if found.plan.minute:
        lines.append(f'Many objects stay minute: pictures enlarged more than {MINUTE_ENLARGED:g} times show nothing '
                     'new. Little can be learnt of them.')
    return tuple(lines)


def _anchor_entries(anchors: Anchors) -> List[Entry]:
    why = ('Share of the objects with an anchor of IoU 0.5, 0.7: ' + ', '.join(
        f'{share:.3f}' for share in anchors.recall) + ('' if anchors.changed else '; as in the base.'),)
    return [Entry('network.ANCHOR_SCALES', anchors.scales, why), Entry('network.ANCHOR_RATIOS', anchors.ratios)]


def shipped_entry(config, found: Found) -> Entry:
    """Whether a test may take the shipped weights while nothing is trained."""
    return Entry('TEST.SHIPPED_MODEL', config.TEST.SHIPPED_MODEL if found.weights else '', (
        'Taken by a test until you have trained: these weights know the classes.' if found.weights else
        'The shipped weights know other classes, or objects of other sizes.',))


def start_entries(config) -> List[Entry]:
    """What training begins with, where a detector of the base's network ships and the base says nothing else."""
    if config.network.pretrained or config.symbol not in shipped_models():
        return []
    return [Entry('network.pretrained', config.symbol, (
        'Training begins with this shipped detector; outputs of classes and anchors that it does not have are new.',
        "'' begins with random weights. What that makes of it: docs/start_from_a_detector.md."))]


def optimiser_entries(config, batch: int) -> List[Entry]:
    """Adam for the small networks that ship, what the base says for others, with a rate for `batch` chips."""
    if config.symbol not in shipped_models():
        return [Entry('TRAIN.lr', config.TRAIN.lr * batch / config.TRAIN.BATCH_IMAGES)]
    return [Entry('TRAIN.OPTIMIZER', 'adam', (
        'Small networks learn faster by it than by SGD: on blood cells AP 0.590 and 0.510 after five minutes.',)),
        Entry('TRAIN.lr', float(f'{ADAM_RATE * np.sqrt(batch / ADAM_BATCH):.2g}')),
        Entry('TRAIN.warmup_lr', ADAM_WARMUP_RATE)]


def training_entries(config, pictures: int, batch: int, upside_down: bool) -> List[Entry]:
    """What is trained on, before anything is measured."""
    entries = [Entry('TRAIN.FLIP_VERTICAL', upside_down, (
        'Copies turned upside down: right for cells and views from above, wrong for faces and streets.',)),
        Entry('TRAIN.IGNORED_OBJECTS', 'ignore', ('Nothing is learnt of crowds and difficult objects.',)),
        Entry('TRAIN.BATCH_IMAGES', batch), *optimiser_entries(config, batch)]
    if pictures < FEW_PICTURES:
        entries.append(Entry('TRAIN.COLOR_JITTER', 0.2, (f'There are {pictures} pictures only.',)))
    return entries


def schedule_entries(config, pace: Pace, plan: Schedule, batch: int, minutes: float) -> List[Entry]:
    """Epochs and warm-up for the time that there is."""
    updates = plan.epochs * (plan.batches or pace.chips // batch)
    why = [f'For {minutes:g} minutes: this machine trains {pace.rate:.3g} chips a second, an epoch has {pace.chips}.',
           f'These epochs take about {plan.seconds / 60:.0f}.']
    if pace.busy:
        why.append(f'The machine was busy: training had {pace.cores:.1f} cores; reckoned is with one, '
                   f'{pace.usual_rate:.3g} chips a second.')
    if plan.epochs == settled(pace.chips) and not plan.batches:
        why.append('There is time for more, which teach little: look at the result first.')
    entries = [Entry('TRAIN.end_epoch', plan.epochs, tuple(why))]
    if config.TRAIN.end_iteration:      # of the base: here epochs count
        entries += [Entry('TRAIN.end_iteration', 0), Entry('TRAIN.lr_step_iterations', [])]
    if plan.batches:
        entries.append(Entry('TRAIN.MAX_BATCHES', plan.batches, (
            f'Batches an epoch, of {max(1, pace.chips // batch)}; 0 = all.',)))
    if config.TRAIN.warmup and config.TRAIN.warmup_step > WARM_SHARE * updates:
        entries.append(Entry('TRAIN.warmup_step', max(1, int(WARM_SHARE * updates))))
    return entries + [Entry('TEST.TEST_EPOCH', plan.epochs)]
