"""Videos frame by frame, and what a person can name to be looked at."""
import os

import numpy as np
import pytest

from lib.image.sources import open_sources
from lib.image.video import Video
from lib.utils.errors import SniperError
from tests.outputs.samples import write_video


def test_frames_of_a_video(tmp_path):
    path = write_video(str(tmp_path / 'a.avi'))
    video = Video(path)
    assert (video.size, video.rate, video.count, video.live) == ((64, 48), 10, 7, False)
    assert [round(pixels.mean() / 10) for _, _, pixels in video.frames()] == list(range(7))
    found = list(Video(path).frames(every=3))
    assert [number for number, _, _ in found] == [0, 3, 6] and [seconds for _, seconds, _ in found] == [0, .3, .6]
    assert [round(pixels.mean() / 10) for _, _, pixels in found] == [0, 3, 6]


def test_a_video_that_is_cut_short(tmp_path, caplog):
    path = write_video(str(tmp_path / 'a.avi'), count=30)
    content = open(path, 'rb').read()
    index = content.rfind(b'idx1')
    with open(path, 'wb') as stream:
        stream.write(content[:4096 + (index - 4096) // 2])
    video = Video(path)
    video.count = 30    # FFmpeg counts what is there of this one
    numbers = [number for number, _, _ in video.frames()]
    assert 0 < len(numbers) < 27 and f'ends after {len(numbers)} of 30 frames' in caplog.text


@pytest.mark.parametrize('content, words', [(None, 'is missing'), (b'', 'is damaged'),
                                            (b'#EXTM3U\nhttp://localhost/', 'is damaged'),
                                            (np.random.default_rng(0).bytes(2000), 'is damaged')])
def test_what_is_no_video(tmp_path, content, words, capfd):
    path = str(tmp_path / 'a.mp4')
    if content is not None:
        with open(path, 'wb') as stream:
            stream.write(content)
    with pytest.raises(SniperError, match=words):
        Video(path)
    assert capfd.readouterr().err == '', 'lines of libraries'


def test_files_whose_names_are_no_patterns_or_cameras(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('a[1].png', '0', '*.jpg'):
        open(name, 'w').close()
    assert [source.path for source in open_sources(['a[1].png', '0', '*.jpg'])] == ['a[1].png', '0', '*.jpg']
    os.remove('0')
    with pytest.raises(SniperError, match='camera 0 cannot be opened'):
        open_sources(['0'])
