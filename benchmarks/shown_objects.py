"""What an epoch of a training shows: pixels, samples by scale, and valid objects by size, counted without training."""
from typing import List, NamedTuple

import numpy as np

from lib.chips import scaled_size
from lib.targets.chip_boxes import chip_boxes

AREAS = (32 ** 2, 96 ** 2)  # COCO's: below the first small, below the second medium, else large
SIZES = ('small', 'medium', 'large')


class Shown(NamedTuple):
    """Of the batches of an epoch, in order."""

    pixels: np.ndarray         # (batches,) int64 of pictures, without the padding of the network's input
    scales: np.ndarray         # (batches, scales) int64 samples
    objects: np.ndarray        # (batches, 3) int64 valid objects: small, medium, large by the area of their boxes
    sides: List[np.ndarray]    # of all small, medium, large: (n,) root of the area that the network sees

    def facts(self, batches: int) -> dict:
        """Sums over the first `batches`, and median sides of all, fit for JSON."""
        pixels, objects = int(self.pixels[:batches].sum()), self.objects[:batches].sum(axis=0)
        return {'pixels': pixels, 'samples': self.scales[:batches].sum(axis=0).tolist(), 'objects': objects.tolist(),
                'objects_per_megapixel': [round(count / pixels * 1e6, 2) for count in objects.tolist()],
                'median_side_seen': [round(float(np.median(sides)), 1) if len(sides) else None for sides in self.sides]}


def shown_objects(config, roidb) -> Shown:
    """Of the first epoch of a training on chips or whole images by `config`; roidb: list of records."""
    from lib.iterators import TrainIterator
    train, count = config.TRAIN, config.TRAIN.BATCH_IMAGES
    pixels, scales, objects = [], [], []  # type: list, list, list
    sides: List[list] = [[], [], []]
    with TrainIterator(roidb, config, count, num_workers=0) as iterator:
        iterator.start_epoch(0)
        for image, chip in iterator.epoch_chips():
            entry = roidb[image]
            width, height = scaled_size(entry['width'], entry['height'], chip.scale)
            pixels.append(min(width, chip.width, train.CHIP_SIZE) * min(height, chip.height, train.CHIP_SIZE))
            scales.append(np.bincount([chip.level], minlength=len(train.SCALES)))
            seen = chip_boxes(entry, chip, train.CHIP_SIZE, train.MIN_OBJECT_SIDE)
            size = np.digitize(_areas(entry['boxes'][seen.rows[seen.valid]]), AREAS)
            objects.append(np.bincount(size, minlength=len(SIZES)))
            for place, side in zip(size, np.sqrt(_areas(seen.boxes[seen.valid]))):
                sides[place].append(side)
    return Shown(np.array(pixels, np.int64).reshape(-1, count).sum(axis=1),
                 np.array(scales, np.int64).reshape(-1, count, len(train.SCALES)).sum(axis=1),
                 np.array(objects, np.int64).reshape(-1, count, len(SIZES)).sum(axis=1), [np.array(of) for of in sides])


def _areas(boxes):
    return (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
