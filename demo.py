"""Detect objects in pictures: python demo.py --cfg FILE [--im_path IMAGE ...] [--out PLACE] [--save_prefix P]
[--set KEY VALUE ...]

Prints a table of the detections and writes <name>_detections.jpg to <output_path>/demo, or to --out. Pictures that
cannot be read are named, the others are looked at all the same. A program of your own would use lib.api, as this one
does.
"""
import argparse
import logging
import os
from typing import List, Sequence

from lib.api import Detector
from lib.bbox.detections import Detections
from lib.cli import add_config_arguments, run, setup_logging
from lib.image import ImageFile
from lib.image.formats import picture_files
from lib.tasks.seen_report import report_found
from lib.utils.errors import SniperError, printable
from lib.utils.user_path import user_path
from lib.visualization import class_name, draw_detections, picture_names, write_picture
from lib.visualization.pictures import ENDINGS

logger = logging.getLogger(__name__)

SUFFIX = '_detections.jpg'


def main(argv=None):
    """-> exit status 0; raises SniperError for a user's mistake."""
    parser = argparse.ArgumentParser(description='Detect objects in pictures with a SNIPER detector.')
    parser.add_argument('--im_path', type=user_path, nargs='+', default=['data/demo/demo.jpg'], metavar='IMAGE',
                        help='images to look at, or folders of them (default: data/demo/demo.jpg)')
    parser.add_argument('--out', type=user_path, default='', metavar='PLACE',
                        help='file of the picture (.jpg or .png), or a folder for one picture an image '
                        '(default: <output_path>/demo)')
    args = add_config_arguments(parser).parse_args(argv)
    setup_logging()
    images = images_of(args.im_path)
    check_out(args.out, images)
    with Detector.load(args.cfg, args.overrides, args.save_prefix) as detector:
        place = args.out or os.path.join(detector.config.output_path or 'output', 'demo')
        failed = [reason for image, path in zip(images, picture_paths(images, place))
                  for reason in look_at(image, path, detector, several=len(images) > 1)]
    if failed:
        more = f' (first: {failed[0]})' if len(images) > 1 else ''
        raise SniperError(f'{len(failed)} of {len(images)} images failed{more}' if more else failed[0])
    return 0


def look_at(image: str, path: str, detector: Detector, several: bool) -> List[str]:
    """Print the table of an image and write its picture to `path` -> why that failed, [] if it did not."""
    try:
        file = ImageFile(image)
        pixels = file.decode().pixels
    except SniperError as error:
        return _failed(error, several)
    if file.orientation > 1:
        logger.info('%s is turned as its EXIF orientation %d says, as viewers show it', image, file.orientation)
    found, score_thresh = detector.detect(image), detector.config.TEST.VIS_THRESH
    if several:
        print(printable(image))
    for warning in report_found(detector.config, pixels.shape[1::-1], found.box[found.score >= score_thresh]):
        logger.warning('%s: %s', image, warning)
    print(detection_table(found, detector.classes, score_thresh), flush=True)
    try:
        write_picture(path, draw_detections(pixels, found, detector.classes, score_thresh))
    except SniperError as error:
        return _failed(error, several)
    print(f'picture: {printable(path)}', flush=True)
    return []


def _failed(error, several):
    if several:     # else it is the last line of the program
        logger.error('%s', error)
    return [str(error)]


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


def images_of(paths: Sequence[str]) -> List[str]:
    """Files, and those of folders. SniperError for a folder without any."""
    images: List[str] = []
    for path in paths:
        images += picture_files(path) if os.path.isdir(path) else [path]
    return images


def is_file_name(out: str) -> bool:
    """Whether --out names a picture, not a folder of pictures."""
    return not (os.path.isdir(out) or out.endswith(os.sep) or not os.path.splitext(out)[1])


def check_out(out: str, images: Sequence[str]) -> None:
    """SniperError for a place that cannot be meant: before anything is computed."""
    if not out or not is_file_name(out):
        return
    if os.path.splitext(out)[1].lower() not in ENDINGS:
        raise SniperError(f'--out {out}: a picture ends in one of {", ".join(ENDINGS)}; write {out}{os.sep} '
                          'for a folder')
    if len(images) > 1:
        raise SniperError(f'--out {out} is one picture, but there are {len(images)} images: name a folder')
    if os.path.exists(out) and os.path.exists(images[0]) and os.path.samefile(out, images[0]):
        raise SniperError(f'--out {out} is the image itself, which would be lost: name another file')


def picture_paths(images: Sequence[str], place: str) -> List[str]:
    """Where the picture of each image goes: names are distinct, whatever the images' folders and endings."""
    if is_file_name(place):
        return [place]
    names = picture_names([{'image': image, 'image_id': number} for number, image in enumerate(images, 1)])
    return [os.path.join(place, os.path.splitext(name)[0] + SUFFIX) for name in names]


if __name__ == '__main__':
    run(main)
