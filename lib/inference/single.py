"""What demo.py does: one image, its picture with detections, a table of them."""
import logging
import os

from lib.image import read_image
from lib.inference.detect import detect_masks
from lib.inference.weights import PredictorFactory, find_weights, settle_classes, use_float32_on_cpu
from lib.train import output_folder
from lib.visualization import class_name, draw_detections, write_picture

logger = logging.getLogger(__name__)

SUFFIX = '_detections.jpg'


def run_demo(config, cfg_path, save_prefix, image_path):
    """Detect on one image. -> (path of the picture written, table of detections as text).

    The picture is `<name>_detections.jpg` beside the image, or in output_path if that folder cannot be written.
    Changes `config`, which is this run's own. Raises SniperError for whatever a user can mend.
    """
    pixels = read_image(image_path)
    weights = find_weights(config, output_folder(config, cfg_path), save_prefix)
    classes = settle_classes(config, weights)
    use_float32_on_cpu(config)
    entry = {'image': image_path, 'image_id': 0, 'width': pixels.shape[1], 'height': pixels.shape[0],
             'flipped': False}
    config.TEST.CONCURRENT_JOBS = 1
    found, masks = detect_masks([entry], PredictorFactory(config, weights), config, len(classes))
    detections = [images[0] for images in found]
    picture = draw_detections(pixels, detections, classes, config.TEST.VIS_THRESH,
                              masks and [images[0] for images in masks])
    return _write(picture, image_path, config), detection_table(detections, classes, config.TEST.VIS_THRESH)


def detection_table(detections, classes, score_thresh):
    """detections[class] -> (n, 5), original pixels: aligned lines 'class score x1 y1 x2 y2', best first."""
    rows = [(-float(det[4]), label, det) for label, dets in enumerate(detections) for det in dets
            if det[4] >= score_thresh]
    if not rows:
        return f'no detection with a score of {score_thresh} or more (key TEST.VIS_THRESH)'
    rows.sort(key=lambda row: row[:2])
    width = max([len('class')] + [len(class_name(classes, label)) for _, label, _ in rows])
    lines = [f'{"class":<{width}}  score      x1      y1      x2      y2']
    for _, label, (x1, y1, x2, y2, score) in rows:
        lines.append(f'{class_name(classes, label):<{width}}  {score:.3f} {x1:7.1f} {y1:7.1f} {x2:7.1f} {y2:7.1f}')
    return '\n'.join(lines)


def _write(picture, image_path, config):
    """Beside the image, else in output_path. -> path."""
    folder, base = os.path.split(image_path)
    name = os.path.splitext(base)[0] + SUFFIX
    path = os.path.join(folder, name)
    if not os.access(folder or '.', os.W_OK):
        path = os.path.join(config.output_path or '.', name)
        logger.info('folder %s cannot be written: the picture goes to %s', folder or '.', path)
    write_picture(path, picture)
    return path
