"""The plan of an epoch: which chip is drawn at which position."""
import numpy as np

from lib.utils.errors import SniperError


def draw_order(image, batch_size, rng):
    """Order in which an epoch visits its chips (reference/pipeline.md 9.1, 9.2).

    `image` (n,) is the image of each chip, ascending. Every chip comes once; to fill the last batch, the first
    images give more chips, from the beginning again if need be. Returns int64 chip indices, a multiple of
    batch_size long.
    """
    count = len(image)
    shuffled_in_image = np.lexsort((rng.random(count), image))
    padded = -(-count // batch_size) * batch_size
    return shuffled_in_image[np.arange(padded) % count][rng.permutation(padded)]


class EpochPlan:
    """Chips and order of one epoch, and which chip stands in where an image is broken.

    `broken` is the set of image paths known to be unreadable; it is read, not written. Whether a path is already
    known does not change which chip ends up at a position: it would be found broken, and rejected, anyway.
    """

    def __init__(self, table, order, roidb, broken):
        self.table = table
        self.order = order
        self._roidb = roidb
        self._broken = broken
        self._skipped = {}  # position -> number of chips passed over, for positions in the making

    def chip_at(self, position):
        """(image index, Window) at a position of the epoch, as if no image was broken."""
        index = self.order[position]
        return int(self.table.image[index]), self.table.window(index)

    def assign(self, position):
        """Choose the chip for `position`: its own, or the first later one of the order whose image is not broken."""
        for skipped in range(self._skipped.get(position, 0), len(self.order)):
            self._skipped[position] = skipped
            if not self._broken or self.path(position) not in self._broken:
                return
        raise SniperError(f'no image of the training set can be read ({len(self._broken)} tried), for example '
                          f'{min(self._broken, default=self._roidb.path(0))}; check the image folder')

    def reject(self, position):
        """The chip assigned to `position` cannot be used: assign a later one."""
        self._skipped[position] += 1
        self.assign(position)

    def chip_index(self, position):
        """Table row of the chip assigned to `position`."""
        return int(self.order[(position + self._skipped[position]) % len(self.order)])

    def path(self, position):
        """Image file of the chip assigned to `position`."""
        return self._roidb.path(self.table.image[self.chip_index(position)])

    def release(self, position):
        """Forget the assignment of a delivered position -> True if its own chip was replaced."""
        return self._skipped.pop(position) > 0


def summarise(slices, table, num_scales, num_images):
    """Facts of an epoch's chips: dict with chips, chips_per_scale, chips_per_image, objects, uncovered_boxes."""
    return {'chips': table.num_windows,
            'chips_per_scale': np.bincount(table.level, minlength=num_scales).tolist(),
            'chips_per_image': table.num_windows / max(1, num_images),
            'negative_chips': int(table.negative.sum()),
            'objects': sum(part.objects for part in slices),
            'uncovered_boxes': sum(part.uncovered for part in slices)}
