"""What main_test.py does: a data set, weights, detections, files, metrics, pictures."""
import json
import logging
import os
import time
from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np

from configs import load_config
from lib.bbox.detections import Detections
from lib.dataset import load_test_dataset
from lib.image import ImageNotices
from lib.inference.any_object import AnyObject
from lib.inference.autofocus import PixelReport, focus_recall, small
from lib.inference.classes import classes_of_test
from lib.inference.detect import detect
from lib.inference.detection_store import DetectionStore
from lib.inference.other_test import load_other
from lib.inference.pictures import draw_all, draw_chips, draw_scales
from lib.inference.predictors import PredictorFactory
from lib.inference.results import take_folder
from lib.inference.scale import ScaleResult
from lib.inference.test_report import write_page
from lib.inference.unreadable import check_any_readable, end_with, unreadable_images
from lib.inference.weights import find_weights, use_float32_on_cpu
from lib.tasks import get_task
from lib.tasks.seen_report import log_test
from lib.utils.clock import StageClock
from lib.utils.files import text_writer
from lib.visualization import precision_recall
from lib.weights.paths import output_folder, results_folder

logger = logging.getLogger(__name__)

COUNTED = 'the result is that of all images, where these count as without detections'


class Setup(NamedTuple):
    """What is tested, on what."""

    config: Any
    dataset: Any
    roidb: Any       # of the whole data set
    weights: Any
    classes: tuple   # of the network
    labels: tuple    # for each of these its label in the data set, 0 where that does not have it
    root: str        # folder of what the test writes; see lib.inference.results for another test's

    @property
    def digest(self) -> str:
        """Text that changes with the weights."""
        return self.weights.digest()

    @property
    def pictures(self) -> str:
        """Folder of pictures: TEST.VISUALIZATION_PATH, `pictures` beside the results where nobody set it."""
        path = self.config.TEST.VISUALIZATION_PATH
        return os.path.join(self.root, 'pictures') if path == load_config().TEST.VISUALIZATION_PATH else path


class Outcome(NamedTuple):
    """What a test found, in the order of its images."""

    detections: Detections      # image by image, labels are the data set's
    results: List[ScaleResult]  # of every scale
    unreadable: Dict[int, str] = {}     # number of an image that could not be read -> why
    seconds: Dict[str, float] = {}      # by stage of StageClock; {} of a test in shards


class PageRequest(NamedTuple):
    """A report is asked for (lib.inference.test_report), beside the results in folder `other` if that is not ''."""

    other: str = ''


def prepare(config, cfg_path: str, save_prefix: str) -> Setup:
    """-> Setup of the checkpoint of `cfg_path` on dataset.test_image_set.

    Changes `config`, which is this run's own: classes of the network, precision of the device.
    Raises SniperError for whatever a user can mend.
    """
    dataset, roidb = scored_by(config, *load_test_dataset(config))
    weights = find_weights(config, output_folder(config, cfg_path), save_prefix)
    tested = classes_of_test(weights, dataset, roidb)
    config.dataset.NUM_CLASSES = len(tested.names)
    use_float32_on_cpu(config)
    log_test(config, roidb, weights.side_file())
    return Setup(config, dataset, roidb, weights, tested.names, tested.labels,
                 results_folder(config, cfg_path, weights.prefix, weights.epoch,
                                '' if weights.optimized else weights.treatment.split(' ')[0]))


def scored_by(config, dataset, roidb) -> tuple:
    """A data set and its records as the task's detections are scored on them: as they are, or as one class."""
    if get_task(config, 'test').tells_classes:
        return dataset, roidb
    objects = AnyObject(dataset)
    return objects, objects.of_roidb(roidb)


def run_test(config, cfg_path: str, save_prefix: str, draw: bool = False,
             page: Optional[PageRequest] = None) -> Optional[dict]:
    """Test a checkpoint, see prepare. -> metrics, None for sets without annotations. draw: pictures of everything.

    SniperError when all is done and written, if images could not be read, or pictures not be written.
    """
    test = prepare(config, cfg_path, save_prefix)
    if page is not None and page.other:
        load_other(page.other, test.roidb, test.dataset.classes)    # before hours of work: it may be of other images
    store = DetectionStore(test.root, config, test.roidb, test.digest)
    found = detect_images(test, test.roidb, store)
    return report(test, store, found, draw, config.TEST.VISUALIZE_INTERMEDIATE_SCALES, page)


def detect_images(test: Setup, roidb, store: DetectionStore) -> Outcome:
    """Detect on `roidb`, all images of the test or a part -> Outcome."""
    config, clock, results, notices = test.config, StageClock(), [], ImageNotices()
    start = time.perf_counter()
    detections = detect(roidb, PredictorFactory(config, test.weights), config, store, clock,
                        lambda _, result: results.append(result), notices)
    seconds = time.perf_counter() - start
    labels = np.array(test.labels)
    if not np.array_equal(labels, np.arange(test.dataset.num_classes)):
        detections = detections.replace(label=labels[detections.label])
        detections = detections.take(detections.label > 0).in_image_order()
    logger.info('%d images in %.1f s, %.2f images/s (%s%s)', len(roidb), seconds, len(roidb) / max(seconds, 1e-9),
                clock.text(), ', summed over jobs' if config.TEST.CONCURRENT_JOBS > 1 else '')
    for line in time_an_image(clock.seconds, len(roidb)):
        logger.info('%s', line)
    return Outcome(detections, results, unreadable_images(roidb, notices), clock.seconds)


def time_an_image(seconds: Dict[str, float], images: int) -> List[str]:
    """A line on the time that an image takes a process, set-up left out; none where no network ran.

    seconds: by the stages of StageClock. All that is not suppression is detection: reading, as far as the network waits
    for it, the network, decoding, masks.
    """
    if not images or 'network' not in seconds:
        return []
    suppression = seconds.get('suppression', 0.0)
    detection = sum(seconds.values()) - suppression - seconds.get('set-up', 0.0)
    in_all = max(detection + suppression, 1e-9) / images
    return [f'an image: detection {1e3 * detection / images:.1f} ms, suppression {1e3 * suppression / images:.2f} ms, '
            f'in all {1e3 * in_all:.1f} ms, {1 / in_all:.1f} frames/s (set-up left out)']


def report(test: Setup, store: DetectionStore, found: Outcome, draw: bool, scales: bool = False,
           page: Optional[PageRequest] = None) -> Optional[dict]:
    """Files, metrics and pictures of what was found in all images. -> metrics, None for sets without annotations.

    scales: pictures of every scale too. They come last, so that nothing is lost where they cannot be drawn.
    """
    config, roidb, classes = test.config, test.roidb, test.dataset.classes
    check_any_readable(roidb, found.unreadable)
    folder = take_folder(test.root, dict(store.origin(), classes=list(classes)), store.final_path)
    test, store.final_root = test._replace(root=folder), folder
    store.save_final(found.detections, classes)
    logger.info('detections: %s', store.final_path)
    pixels = PixelReport.of(config, roidb, found.results)
    if any(config.TEST.SLICES):
        _log_pixels('in slices', pixels)
    if any(config.TEST.DO_PRUNING):
        _report_pixels(config, roidb, found.results, pixels, test.root)
    metrics = test.dataset.evaluate(found.detections, test.root)
    if test.dataset.curves:
        _draw_curves(test)
    if page is not None:
        write_page(test, found, metrics, pixels, page.other)
    if found.unreadable:
        logger.warning('%d of %d images could not be read: %s', len(found.unreadable), len(roidb), COUNTED)
    if scales:
        draw_scales(test, roidb, found)
    if draw and any(config.TEST.DO_PRUNING):
        draw_chips(config, roidb, found, test.pictures)
    if draw:
        draw_all(roidb, found.detections, classes, config.TEST.VIS_THRESH, os.path.join(test.pictures, 'dets_final'),
                 found.unreadable)
    end_with(roidb, found.unreadable, COUNTED)
    return metrics


def _draw_curves(test):
    """Precision against recall, by the data set's own rules."""
    path = os.path.join(test.root, 'precision_recall.png')
    precision_recall.plot(test.dataset.curves, path, test.dataset.name)
    logger.info('curves: %s', path)


def _log_pixels(how, report):
    """A line a scale; slices overlap, so that they have more than the pyramid."""
    logger.info('pixels processed %s, of the full image pyramid:', how)
    for line in report.lines():
        logger.info('%s', line)


def _report_pixels(config, roidb, results, report, folder):
    """Pixels of the FocusChips against the full pyramid: in the log, and in `<folder>/autofocus_pixels.json`."""
    _log_pixels('by AutoFocus', report)
    held, total = focus_recall(roidb, results[-1].crops, small)
    if total and config.TEST.DO_PRUNING[-1]:
        logger.info('small objects (area below 32 x 32) whose centre lies in a chip of the finest scale: %d of %d, '
                    '%.1f%%',
                    held, total, 100 * held / total)
    with text_writer(os.path.join(folder, 'autofocus_pixels.json')) as stream:
        json.dump(report.figures(), stream, indent=4)
        stream.write('\n')
