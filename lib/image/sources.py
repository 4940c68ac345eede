"""What a person names to be looked at: pictures, folders, patterns, videos, cameras, and their frames in order."""
import glob
import os
import stat
from typing import Iterator, List, NamedTuple, Optional, Sequence

import numpy as np

from lib.image.file import ImageFile
from lib.image.formats import ENDINGS, picture_files
from lib.image.video import ENDINGS as VIDEO_ENDINGS, Video
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable


class Source:
    """A picture, a video or a camera.

    path: as given, 'camera 0' for a camera. video: opened; None for a picture. file_name: how formats name the file;
    name: what files made of it are called, without ending. Both are distinct once whoever looks at several says so.
    """

    def __init__(self, path: str, video: Optional[Video] = None):
        self.path, self.video = path, video
        self.file_name = os.path.basename(path)
        self.name = os.path.splitext(self.file_name)[0]


class Frame(NamedTuple):
    """A picture to look at."""

    source: Source
    pixels: Optional[np.ndarray]    # (H, W, 3) uint8 B, G, R as viewers show it; None if it cannot be read
    problem: str = ''               # why not
    orientation: int = 1            # Exif's, by which the picture was turned
    number: int = 0                 # of a video's frame, from 0
    seconds: float = 0.0            # of a video's frame since it began

    @property
    def name(self) -> str:
        """What files made of it are called, without ending."""
        return self.source.name if self.source.video is None else f'{self.source.name}_{self.number:06d}'

    @property
    def file_name(self) -> str:
        """How formats name the picture's file; a video's frames have one only where it is written."""
        return self.source.file_name if self.source.video is None else f'{self.name}.jpg'


def open_sources(names: Sequence[str]) -> List[Source]:
    """Paths of pictures and videos, folders of pictures, patterns (`scans/*.png`, `**` for all folders below), and
    numbers of cameras -> sources. SniperError for what is missing, empty, or a video or camera that cannot be opened.

    Pictures are not read: one among many that is broken is its frame's problem.
    """
    paths: List[str] = []
    for name in names:
        paths += _paths_of(name)
    return _with_file_names([_open(path) for path in paths])


def _paths_of(name):
    if not name:
        raise SniperError("an image is called '': is a variable on the command line empty? Name a picture, a video, a "
                          'folder or a pattern, or the number of a camera')
    if os.path.isdir(name):
        return picture_files(name)
    if os.path.lexists(name) or _camera(name) is not None:
        return [name]
    if glob.has_magic(name):
        found = [path for path in sorted(glob.glob(name, recursive=True))
                 if path.lower().endswith(ENDINGS + VIDEO_ENDINGS) and not os.path.isdir(path)]
        if not found:
            raise SniperError(f'the pattern {name} fits no picture or video ({" ".join(ENDINGS + VIDEO_ENDINGS)})')
        return found
    raise SniperError(f'image {name} cannot be read: it {why_unreadable(name) or "is gone"}; name a picture, a video, '
                      'a folder or a pattern that there is, or the number of a camera')


def _camera(name):
    """Number of a camera, None for anything else; a file of that name is a file."""
    if os.path.lexists(name):
        device = os.path.basename(name)
        is_device = stat.S_ISCHR(os.stat(name).st_mode) if os.path.exists(name) else False
        name = device[len('video'):] if is_device and device.startswith('video') else ''
    return int(name) if name.isascii() and name.isdecimal() and len(name) < 4 else None


def _open(path):
    camera = _camera(path)
    if camera is not None:
        video = Video(camera=camera)
        return Source(video.path, video)
    return Source(path, Video(path) if path.lower().endswith(VIDEO_ENDINGS) else None)


def _with_file_names(sources):
    """Base names where they are distinct, else paths from the folder that all are in."""
    if len({source.file_name for source in sources}) < len(sources):
        common = os.path.commonpath([os.path.dirname(os.path.abspath(source.path)) for source in sources])
        for source in sources:
            source.file_name = os.path.relpath(os.path.abspath(source.path), common)
    return sources


def frames(sources: Sequence[Source], every: int = 1) -> Iterator[Frame]:
    """Every `every`-th frame of videos, and every `every`-th picture."""
    pictures = 0
    for source in sources:
        if source.video is not None:
            for number, seconds, pixels in source.video.frames(every):
                yield Frame(source, pixels, number=number, seconds=seconds)
            continue
        if pictures % every == 0:
            yield _picture(source)
        pictures += 1


def _picture(source):
    try:
        file = ImageFile(source.path)
        return Frame(source, file.decode().pixels, orientation=file.orientation)
    except SniperError as error:
        return Frame(source, None, str(error))
