"""Who tests which images: shards and jobs take parts of the data set that leave every batch whole.

What the network makes of an image depends on the images beside it in the batch: they decide how far it is padded. So
the images are dealt out in units, consecutive in the order of test batches (lib.iterators.batching) and so long
that the batches of every scale end where a unit ends. Any number of shards and jobs then has the batches, and the
detections, of one process. Units of small and large images go to everyone in turn.

Chips are grouped into batches by what there is (lib.iterators.batching): there, batches differ with the parts.
"""
import math

import numpy as np

from lib.iterators.batching import size_groups


def deal_images(roidb, config, parts):
    """-> for each of `parts`, ascending numbers of its images, an int64 array; some may be empty."""
    crops = [(0, 0, entry['width'], entry['height']) for entry in roidb]
    return deal(crops, unit_length(config), parts)


def deal(crops, unit, parts):
    """Crops (n, 4), dealt in units of `unit` -> `parts` ascending arrays of crop numbers.

    The last unit of the wide and of the tall ones is longer by what is left over: what fills up the last batch are the
    crops before its own, which have to be in the same hands.
    """
    dealt = [[np.zeros(0, np.int64)] for _ in range(parts)]
    turn = 0
    for group in size_groups(crops):
        units = max(1, len(group) // unit)
        for number in range(units if len(group) else 0):
            end = (number + 1) * unit if number + 1 < units else len(group)
            dealt[turn % parts].append(group[number * unit:end])
            turn += 1
    return [np.sort(np.concatenate(numbers)) for numbers in dealt]


def unit_length(config):
    """Least number of images that fill whole batches at every scale that runs on whole images."""
    test = config.TEST
    lengths = [count for count, on_chips in zip(test.BATCH_IMAGES, test.DO_PRUNING) if not on_chips]
    unit = 1
    for length in lengths:
        unit = unit * length // math.gcd(unit, length)
    return unit * num_devices(config)


def num_devices(config):
    """Devices of a run. MXNet, which asks for the GPUs, is imported only where the configuration leaves them open."""
    if str(config.gpus).strip().lower() == 'auto':
        from lib.train import contexts
        return len(contexts(config))
    return max(1, len([part for part in str(config.gpus).split(',') if part.strip()]))
