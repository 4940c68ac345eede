"""What main_test.py does: a data set, weights, detections, files, metrics, pictures."""
import json
import logging
import os
import time

from lib.dataset import load_test_dataset
from lib.files import text_writer
from lib.image import read_image
from lib.inference.detect import detect_masks
from lib.inference.focus_recall import focus_recall, small
from lib.inference.pixels import PixelReport
from lib.inference.progress import StageClock
from lib.inference.scale import scale_name
from lib.inference.store import DetectionStore, result_root
from lib.inference.weights import PredictorFactory, check_classes, find_weights, use_float32_on_cpu
from lib.train import output_folder
from lib.visualization import draw_detections, draw_focus_chips, picture_names, write_picture

logger = logging.getLogger(__name__)


def run_test(config, cfg_path, save_prefix, draw=False):
    """Test the checkpoint of `cfg_path` on dataset.test_image_set. -> metrics, None for sets without annotations.

    Changes `config`, which is this run's own: classes of the data set, precision of the device.
    Raises SniperError for whatever a user can mend.
    """
    dataset, roidb = load_test_dataset(config)
    config.dataset.NUM_CLASSES = dataset.num_classes
    weights = find_weights(config, output_folder(config, cfg_path), save_prefix)
    classes = check_classes(weights, dataset.classes)
    use_float32_on_cpu(config)

    clock, root = StageClock(), result_root(config)
    store = DetectionStore(root, config, roidb, weights.digest())
    results = []  # of every scale
    start = time.perf_counter()
    detections, masks = detect_masks(roidb, PredictorFactory(config, weights), config, dataset.num_classes, store,
                                     clock, lambda _, result: results.append(result))
    seconds = time.perf_counter() - start
    if classes != dataset.classes:
        detections, masks = (of_class and [of_class[classes.index(name)] for name in dataset.classes]
                             for of_class in (detections, masks))
    store.save_final(detections, dataset.classes, masks)
    logger.info('%d images in %.1f s, %.2f images/s (%s%s)', len(roidb), seconds, len(roidb) / max(seconds, 1e-9),
                clock.text(), ', summed over jobs' if config.TEST.CONCURRENT_JOBS > 1 else '')
    logger.info('detections: %s', store.final_path)
    if any(config.TEST.DO_PRUNING):
        _report_pixels(config, roidb, results, os.path.join(root, 'results'))
    if config.TEST.VISUALIZE_INTERMEDIATE_SCALES:
        for index, result in enumerate(results):
            _draw_scale(config, roidb, classes, index, result.rows)
    if draw and any(config.TEST.DO_PRUNING):
        _draw_chips(config, roidb, results)
    if draw:
        draw_all(roidb, detections, dataset.classes, config.TEST.VIS_THRESH,
                 os.path.join(config.TEST.VISUALIZATION_PATH, 'dets_final'), masks)
    return dataset.evaluate(detections, os.path.join(root, 'results'), masks)


def draw_all(roidb, detections, classes, score_thresh, folder, masks=None):
    """A picture `<folder>/<image name>.jpg` an image; detections[class][image] -> (n, 5), original pixels.

    masks[class][image]: n run-length codes (lib.masks), or None.
    """
    for index, (entry, name) in enumerate(zip(roidb, picture_names(roidb))):
        pixels = read_image(entry['image'], entry['width'], entry['height'])
        picture = draw_detections(pixels, [images[index] for images in detections], classes, score_thresh,
                                  masks and [images[index] for images in masks])
        write_picture(os.path.join(folder, name), picture)
    logger.info('%d pictures in %s', len(roidb), folder)


def _draw_scale(config, roidb, classes, index, rows):
    """Pictures of the detections of one scale, before valid ranges and suppression."""
    detections = [[] for _ in classes]
    for crops in rows:
        for label, images in enumerate(detections):
            images.append([row[:5] for crop in crops for row in crop[crop[:, 5] == label]])
    draw_all(roidb, detections, classes, config.TEST.VIS_THRESH,
             os.path.join(config.TEST.VISUALIZATION_PATH, 'dets_scale_' + scale_name(config, index)))


def _report_pixels(config, roidb, results, folder):
    """Pixels of the FocusChips against the full pyramid: in the log, and in `<folder>/autofocus_pixels.json`."""
    report = PixelReport(config, roidb)
    for index, result in enumerate(results):
        report.add(index, result)
    logger.info('pixels processed by AutoFocus, of the full image pyramid:')
    for line in report.lines():
        logger.info('%s', line)
    held, total = focus_recall(roidb, results[-1].crops, small)
    if total and config.TEST.DO_PRUNING[-1]:
        logger.info('small objects (area below 32 x 32) whose centre lies in a chip of the finest scale: %d of %d, %.1f%%',
                    held, total, 100 * held / total)
    with text_writer(os.path.join(folder, 'autofocus_pixels.json')) as stream:
        json.dump(report.figures(), stream, indent=4)
        stream.write('\n')


def _draw_chips(config, roidb, results):
    """A picture an image: the chips of all scales that run on chips."""
    folder = os.path.join(config.TEST.VISUALIZATION_PATH, 'focus_chips')
    focused = [index for index, pruning in enumerate(config.TEST.DO_PRUNING) if pruning]
    for number, (entry, name) in enumerate(zip(roidb, picture_names(roidb))):
        chips = [(scale_name(config, index), results[index].crops[number]) for index in focused]
        pixels = read_image(entry['image'], entry['width'], entry['height'])
        write_picture(os.path.join(folder, name), draw_focus_chips(pixels, chips))
    logger.info('%d pictures of FocusChips in %s', len(roidb), folder)
