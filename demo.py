"""Detect objects in one image: python demo.py --cfg FILE [--im_path IMAGE] [--save_prefix P] [--set KEY VALUE ...]

Writes <name>_detections.jpg beside the image, or to output_path if that folder cannot be written, and prints a table of
the detections. A program of your own would use lib.api, as this one does.
"""
import argparse
import logging
import os

from lib.api import Detector
from lib.bbox.detections import Detections
from lib.cli import add_config_arguments, run, setup_logging
from lib.image import read_image
from lib.utils.user_path import user_path
from lib.visualization import class_name, draw_detections, write_picture

logger = logging.getLogger(__name__)

SUFFIX = '_detections.jpg'


def main(argv=None):
    """-> exit status 0; raises SniperError for a user's mistake."""
    parser = argparse.ArgumentParser(description='Detect objects in one image with a SNIPER detector.')
    parser.add_argument('--im_path', type=user_path, default='data/demo/demo.jpg', metavar='IMAGE',
                        help='image to look at (default: %(default)s)')
    args = add_config_arguments(parser).parse_args(argv)
    setup_logging()
    with Detector.load(args.cfg, args.overrides, args.save_prefix) as detector:
        pixels = read_image(args.im_path)
        found, score_thresh = detector.detect(args.im_path), detector.config.TEST.VIS_THRESH
        path = picture_path(args.im_path, detector.config)
    write_picture(path, draw_detections(pixels, found, detector.classes, score_thresh))
    print(detection_table(found, detector.classes, score_thresh))
    print(f'picture: {path}')
    return 0


def detection_table(detections: Detections, classes, score_thresh: float) -> str:
    """Aligned lines 'class score x1 y1 x2 y2', original pixels, best first."""
    shown = detections.take(detections.score >= score_thresh)
    if not len(shown):
        return f'no detection with a score of {score_thresh} or more (key TEST.VIS_THRESH)'
    names = [class_name(classes, label) for label in shown.label.tolist()]
    width = max(map(len, ['class'] + names))
    lines = [f'{"class":<{width}}  score      x1      y1      x2      y2']
    for row in sorted(range(len(shown)), key=lambda row: (-shown.score[row], shown.label[row])):
        x1, y1, x2, y2 = shown.box[row].tolist()
        lines.append(f'{names[row]:<{width}}  {shown.score[row]:.3f} {x1:7.1f} {y1:7.1f} {x2:7.1f} {y2:7.1f}')
    return '\n'.join(lines)


def picture_path(image_path: str, config) -> str:
    """Beside the image, else in output_path."""
    folder, base = os.path.split(image_path)
    name = os.path.splitext(base)[0] + SUFFIX
    if os.access(folder or '.', os.W_OK):
        return os.path.join(folder, name)
    path = os.path.join(config.output_path or '.', name)
    logger.info('folder %s cannot be written: the picture goes to %s', folder or '.', path)
    return path


if __name__ == '__main__':
    run(main)
