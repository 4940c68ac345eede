"""demo.py on a video against the network alone: python -m benchmarks.video [--frames 300] [--size 1280 720]
[--cfg FILE] [--set KEY VALUE ...]

Pans over one synthetic scene, writes that as a video, and has demo.py find and draw in it. The network alone is given
the same batches, in memory, before and after: frames/s of both, and their ratio.
"""
import argparse
import os
import tempfile
import time
from typing import Any, Dict, List

import cv2
import numpy as np

import demo
from lib.api import Detector
from lib.cli import add_config_arguments, run
from lib.image.video import Video
from lib.utils.user_path import user_path

SCENE = 'data/demo/demo.jpg'
REPEATS = 2


class Recorder:
    """Stands before a predictor and keeps copies of its batches."""

    def __init__(self, predictor: Any):
        self._predictor, self.batches = predictor, []   # type: ignore[var-annotated]

    def __getattr__(self, name):
        return getattr(self._predictor, name)

    def predict(self, batch):
        """See lib.engine.predictor."""
        self.batches.append(batch._replace(data={name: array.copy() for name, array in batch.data.items()}))
        return self._predictor.predict(batch)


def write_video(path: str, frames: int, width: int, height: int) -> List[np.ndarray]:
    """A window that wanders over the scene -> the frames of its first batch."""
    scene = cv2.resize(cv2.imread(SCENE), (width + width // 4, height + height // 4), interpolation=cv2.INTER_CUBIC)
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'mp4v'), 25.0, (width, height))
    first = []
    for number in range(frames):
        share = (1 - np.cos(2 * np.pi * number / max(frames, 2))) / 2
        x, y = int(share * (width // 4)), int(share * (height // 4))
        first.append(np.ascontiguousarray(scene[y:y + height, x:x + width]))
        writer.write(first[-1])
        first = first[:64]
    writer.release()
    return first


def network_rate(detector: Detector, frames: List[np.ndarray]) -> float:
    """Frames a second that the network does, of frames that fill whole batches."""
    frames = frames[:detector.batch_images]
    detector.detect(frames)
    recorder = Recorder(detector._predictor)
    detector._predictor = recorder
    detector.detect(frames)
    detector._predictor = recorder._predictor
    started = time.perf_counter()
    for _ in range(REPEATS):
        for batch in recorder.batches:
            detector._predictor.predict(batch)
    return REPEATS * len(frames) / (time.perf_counter() - started)


def main(argv=None):
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--frames', type=int, default=300)
    parser.add_argument('--size', type=int, nargs=2, default=[1280, 720], metavar=('WIDTH', 'HEIGHT'))
    parser.add_argument('--out', type=user_path, default='', help='keep the drawn video here')
    args = add_config_arguments(parser, 'configs/faster/sniper_tiny_e2e.yml').parse_args(argv)
    figures: Dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path, drawn = os.path.join(folder, 'video.mp4'), args.out or os.path.join(folder, 'drawn.mp4')
        first = write_video(path, args.frames, *args.size)
        with Detector.load(args.cfg, args.overrides) as detector:
            figures['before'] = network_rate(detector, first)
            detector.clock.seconds.clear()
            started = time.perf_counter()
            demo.look(demo.named(demo.open_sources([path])), detector, demo.arguments(['--out', drawn]))
            figures['demo'] = args.frames / (time.perf_counter() - started)
            print(detector.clock.text())
            figures['after'] = network_rate(detector, first)
        written = sum(1 for _ in Video(drawn).frames())
    alone = (figures['before'] + figures['after']) / 2
    print(f'{written} of {args.frames} frames written')
    print(f'network alone {figures["before"]:.3f} and {figures["after"]:.3f} frames/s, demo.py '
          f'{figures["demo"]:.3f} frames/s: {figures["demo"] / alone:.3f} of it')
    return 0


if __name__ == '__main__':
    run(main, prints=True)
