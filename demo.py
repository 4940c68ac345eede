"""Detect objects in pictures and videos: python demo.py --cfg FILE|X.onnx [--im_path PICTURE ...] [--out PLACE]
[--json FILE] [--csv FILE] [--yolo FOLDER] [--labelme FOLDER] [--crops FOLDER] [--min_score S] [--every N] [--limit N]
[--save_prefix P] [--set KEY VALUE ...]

PICTURE is a picture, a folder, a pattern, a video, or the number of a camera. Prints a table of what is found in each
picture, and draws <name>_detections.jpg, or .mp4, to --out; docs/demo.md has the rest. Pictures that cannot be read are
named, the others are looked at all the same. A program of your own would use lib.api, as this one does.
"""
import argparse
import contextlib
import itertools
import logging
import os
import time
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from lib.api import Detector
from lib.bbox.detections import Detections
from lib.cli import add_config_arguments, run, setup_logging
from lib.image.sources import Frame, Source, frames, open_sources
from lib.outputs import CocoFile, CropFolder, CsvFile, DrawnPictures, DrawnVideo, LabelmeFolder, Tables, YoloFolder
from lib.outputs.drawn import video_path
from lib.utils.clock import duration
from lib.utils.errors import SniperError, printable
from lib.utils.files import check_writable
from lib.utils.quiet_loggers import quiet_loggers
from lib.utils.side_threads import Ahead, Behind
from lib.utils.user_path import user_path
from lib.visualization import picture_names
from lib.visualization.pictures import ENDINGS
from lib.visualization.video import CODECS

logger = logging.getLogger(__name__)

MOST_BYTES = 192 << 20      # of pixels in a batch, and that wait before and behind the network
MOST_IMAGES = 64            # of a batch
SECONDS_BETWEEN_LINES = 10.0
# Options of detections in other programs' formats: whether it is a folder, its writer
FORMATS = {'json': (False, CocoFile), 'csv': (False, CsvFile), 'yolo': (True, YoloFolder),
           'labelme': (True, LabelmeFolder), 'crops': (True, CropFolder)}
LABELS = {'yolo': ('labels', '.txt'), 'labelme': ('', '.json')}     # what people may have corrected


def main(argv: Optional[Sequence[str]] = None) -> int:
    """-> exit status 0; raises SniperError for a user's mistake."""
    args = arguments(argv)
    setup_logging()
    sources = named(open_sources(args.im_path))
    with contextlib.ExitStack() as stack:
        for source in sources:
            if source.video is not None:
                stack.callback(source.video.close)
        check_places(args, sources)
        detector = stack.enter_context(Detector.load(args.cfg, args.overrides, args.save_prefix))
        look(sources, detector, args)
    return 0


def arguments(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    """Parsed command line."""
    parser = argparse.ArgumentParser(description='Detect objects in pictures and videos with a SNIPER detector.')
    parser.add_argument('--im_path', type=user_path, nargs='+', default=['data/demo/demo.jpg'], metavar='PICTURE',
                        help='pictures, folders of them, patterns, videos, or the number of a camera '
                        '(default: data/demo/demo.jpg)')
    parser.add_argument('--out', type=user_path, default='', metavar='PLACE',
                        help='what is drawn: a file (.jpg or .png, of a video .mp4 or .avi), or a folder '
                        '(default: <output_path>/demo, unless another output is asked for)')
    for name, metavar, text in (('json', 'FILE', "COCO's JSON"), ('csv', 'FILE', 'a table'),
                                ('yolo', 'FOLDER', "YOLO's text files"), ('labelme', 'FOLDER', "labelme's JSON files"),
                                ('crops', 'FOLDER', 'the objects cut out')):
        parser.add_argument(f'--{name}', type=user_path, default='', metavar=metavar,
                            help=f'write what was found as {text}')
    parser.add_argument('--min_score', type=float, default=None, metavar='S',
                        help='least score of what is shown and written (default: TEST.VIS_THRESH)')
    parser.add_argument('--every', type=int, default=1, metavar='N', help='look at every Nth frame or picture only')
    parser.add_argument('--limit', type=int, default=None, metavar='N', help='end after N frames or pictures')
    args = add_config_arguments(parser).parse_args(argv)
    if args.min_score is not None and not 0 <= args.min_score <= 1:
        raise SniperError(f'--min_score {args.min_score:g}: scores are from 0 to 1')
    for name in ('every', 'limit'):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise SniperError(f'--{name} {getattr(args, name)}: give 1 or more')
    return args


def named(sources: List[Source]) -> List[Source]:
    """The sources, whose names are distinct, whatever their folders and endings. SniperError: a camera among others."""
    if len(sources) > 1 and any(source.video and source.video.live for source in sources):
        raise SniperError('a camera has no end: look at it alone')
    names = picture_names([{'image': source.path, 'image_id': number} for number, source in enumerate(sources, 1)])
    for source, name in zip(sources, names):
        source.name = os.path.splitext(name)[0]
    return sources


def is_file_name(out: str) -> bool:
    """Whether --out names a picture or video, not a folder of them."""
    return bool(out) and not (os.path.isdir(out) or out.endswith(os.sep) or not os.path.splitext(out)[1])


def check_places(args: argparse.Namespace, sources: Sequence[Source]) -> None:
    """SniperError for a place that cannot be meant or cannot be written to: before anything is computed."""
    if is_file_name(args.out):
        endings = tuple(CODECS) if sources[0].video else ENDINGS
        if len(sources) > 1:
            raise SniperError(f'--out {args.out} is one picture, but there are {len(sources)} images: name a folder')
        if os.path.splitext(args.out)[1].lower() not in endings:
            raise SniperError(f'--out {args.out}: a {"video" if sources[0].video else "picture"} ends in one of '
                              f'{", ".join(endings)}; write {args.out}{os.sep} for a folder')
    for name, (is_folder, _) in FORMATS.items():
        path = getattr(args, name)
        if path and not is_folder and not path.lower().endswith(f'.{name}'):
            raise SniperError(f'--{name} {path}: the file should end in .{name}')
    places = {name: getattr(args, name) for name in ('out', *FORMATS) if getattr(args, name)}
    for name, path in places.items():
        is_folder = not is_file_name(path) if name == 'out' else FORMATS[name][0]
        if os.path.exists(path) and any(os.path.exists(source.path) and os.path.samefile(source.path, path)
                                        for source in sources):
            raise SniperError(f'--{name} {path} is the image itself, which would be lost: name another file')
        if name in LABELS:
            check_no_labels(name, path, sources)
        check_writable(path, is_folder)


def check_no_labels(option: str, folder: str, sources: Sequence[Source]) -> None:
    """SniperError if a folder holds labels of the pictures, which somebody may have corrected."""
    below, ending = LABELS[option]
    below = os.path.join(folder, below)
    there = [name for name in (os.listdir(below) if os.path.isdir(below) else ()) if name.endswith(ending)]
    names, videos = set(there), tuple(f'{source.name}_' for source in sources if source.video)
    taken = [f'{source.name}{ending}' for source in sources if f'{source.name}{ending}' in names]
    taken += [name for name in there if videos and name.startswith(videos)]
    if taken:
        raise SniperError(f'--{option} {folder}: {os.path.join(below, taken[0])} is there already, and may have been '
                          'corrected by hand: name another folder, or remove it')


def writers(args: argparse.Namespace, sources: Sequence[Source], detector: Detector) -> list:
    """What takes in frames and what was found there, see lib.outputs."""
    classes = detector.classes
    found: List[Any] = []
    if any(source.video is None for source in sources):
        found.append(Tables(detector.config, classes, min_score(args, detector), several=len(sources) > 1))
    others = [writer(getattr(args, name), classes) for name, (_, writer) in FORMATS.items() if getattr(args, name)]
    if args.out or not others:
        place = args.out or os.path.join(detector.config.output_path or 'output', 'demo')
        is_file = is_file_name(args.out)
        if any(source.video is None for source in sources):
            found.append(DrawnPictures(place, classes, is_file, lambda path: print(f'picture: {printable(path)}',
                                                                                   flush=True)))
        found += [DrawnVideo(place if is_file else video_path(place, source.name), classes, source.video, args.every)
                  for source in sources if source.video is not None]
    return found + others


def min_score(args: argparse.Namespace, detector: Detector) -> float:
    """Least score of what is shown."""
    return detector.config.TEST.VIS_THRESH if args.min_score is None else args.min_score


def look(sources: Sequence[Source], detector: Detector, args: argparse.Namespace) -> None:
    """Find, write and draw. Frames are read ahead of the network in one thread, and drawn and written in another.

    SniperError at the end for pictures that failed.
    """
    live = any(source.video is not None and source.video.live for source in sources)
    outputs, least = writers(args, sources, detector), min_score(args, detector)
    writing, progress = Writing(outputs, len(sources) > 1), Progress(expected(sources, args))
    with contextlib.ExitStack() as stack:
        stack.callback(say_where, outputs)
        for output in outputs[::-1]:
            stack.callback(output.close)
        if progress.total != 1:
            stack.enter_context(quiet_loggers('lib.inference.scale'))
        source = Ahead(itertools.islice(frames(sources, args.every), args.limit), MOST_BYTES, weight, live)
        behind = Behind(writing, MOST_BYTES, lambda pair: weight(pair[0]))
        stack.callback(behind.close)
        stack.callback(source.close)
        try:
            for batch in batches(source, 1 if live else min(detector.batch_images, MOST_IMAGES)):
                for frame, found in found_in(detector, batch):
                    behind.put((frame, found.take(found.score >= least)))
                progress.add(len(batch))
        except KeyboardInterrupt:
            if not live:    # the end of a camera
                raise
    progress.finish(detector.clock.seconds.get('network', 0.0))
    failed = list(writing.failed.values())
    if failed:
        several = len(sources) > 1
        raise SniperError(f'{len(failed)} of {len(sources)} images failed (first: {failed[0]})' if several
                          else failed[0])


def weight(frame: Frame) -> int:
    """Bytes."""
    return 0 if frame.pixels is None else frame.pixels.nbytes


def expected(sources: Sequence[Source], args: argparse.Namespace) -> int:
    """How many frames there will be, as far as files know; 0 if they do not."""
    if any(source.video is not None and not source.video.count for source in sources):
        return args.limit or 0
    pictures = sum(source.video is None for source in sources)
    counts = [pictures] + [source.video.count for source in sources if source.video is not None]
    total = sum(-(-count // args.every) for count in counts)
    return min(total, args.limit or total)


def batches(source: Iterable[Frame], count: int) -> Iterator[List[Frame]]:
    """Frames that follow each other and have one size, at most `count`: what is found in one does not depend on the
    others. One that cannot be read comes alone."""
    batch: List[Frame] = []
    for frame in source:
        alone = frame.pixels is None
        if batch and (alone or frame.pixels.shape != batch[0].pixels.shape
                      or weight(frame) * (len(batch) + 1) > MOST_BYTES):
            yield batch
            batch = []
        batch.append(frame)
        if alone or len(batch) == count:
            yield batch
            batch = []
    if batch:
        yield batch


def found_in(detector: Detector, batch: List[Frame]) -> Iterator[Tuple[Frame, Detections]]:
    """(frame, its detections) of a batch."""
    if batch[0].pixels is None:
        yield batch[0], Detections.empty()
        return
    # Files as they are, which readers decode smaller where that is enough.
    images = [frame.source.path if frame.source.video is None and frame.orientation == 1 else frame.pixels
              for frame in batch]
    found = detector.detect(images)
    for number, frame in enumerate(batch):
        of_frame = found.of_image(number)
        yield frame, of_frame.replace(image=of_frame.image * 0, sizes=found.sizes[number:number + 1])


class Writing:
    """Gives frames to the outputs, in a thread of its own. failed: path of a picture -> why it failed."""

    def __init__(self, outputs: list, several: bool):
        self.failed: Dict[str, str] = {}
        self._outputs, self._several = outputs, several

    def __call__(self, pair: Tuple[Frame, Detections]) -> None:
        """SniperError if a video cannot be written; of a picture the others are left."""
        frame, found = pair
        if frame.pixels is None:
            self._fail(frame, frame.problem)
            return
        for output in self._outputs:
            try:
                output.add(frame, found)
            except SniperError as error:
                if frame.source.video is not None:
                    raise
                self._fail(frame, str(error))

    def _fail(self, frame, reason):
        self.failed.setdefault(frame.source.path, reason)
        if self._several:     # else it is the last line of the program
            logger.error('%s', reason)


class Progress:
    """Lines on how far it is. total: frames that are expected, 0 if nobody knows."""

    def __init__(self, total: int):
        self.total, self._done = total, 0
        self._started = self._last = time.monotonic()

    def add(self, count: int) -> None:
        """So many more are done."""
        now = time.monotonic()
        self._done += count
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last, rate = now, self._done / (now - self._started)
        of, left = '', ''
        if self.total > self._done:
            of, left = f' of {self.total}', f', {duration((self.total - self._done) / rate)} left'
        unit = 'frame' if self._done == 1 and not of else 'frames'
        logger.info('%d%s %s, %.2g frames/s%s', self._done, of, unit, rate, left)

    def finish(self, network_seconds: float) -> None:
        """The last line, of several frames."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        if self._done > 1:
            alone = f'; {self._done / network_seconds:.3g} by the network alone' if network_seconds else ''
            print(f'{self._done} frames in {seconds:.1f} s: {self._done / seconds:.3g} frames/s{alone}', flush=True)


def say_where(outputs: Sequence[Any]) -> None:
    """Name the videos that were written, also after Ctrl-C."""
    for output in outputs:
        if isinstance(output, DrawnVideo) and output.count and os.path.exists(output.path):
            print(f'video: {printable(output.path)} ({output.count} frames)', flush=True)


if __name__ == '__main__':
    run(main)
