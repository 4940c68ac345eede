"""Data sets of pictures and objects of given sizes, without image files."""
import numpy as np

from configs import load_config
from lib.dataset.roidb import make_record

TINY = 'configs/faster/sniper_tiny_e2e.yml'


def make_pictures(sides, sizes=((640, 480),), count=60, each=8, tall=1.0, seed=0):
    """List of `count` records, of `sizes` in turn, with `each` objects of sides from sides[0] to sides[1] (uniform in
    their logarithm), `tall` times higher than wide on average."""
    rng, records = np.random.default_rng(seed), []
    for number in range(count):
        width, height = sizes[number % len(sizes)]
        side = np.exp(rng.uniform(*np.log(sides), each))
        shape = np.sqrt(tall) * np.exp(rng.uniform(-0.2, 0.2, each))
        boxes = np.stack([np.minimum(side / shape, width - 2), np.minimum(side * shape, height - 2)], axis=1)
        corners = rng.uniform(0, 1, (each, 2)) * ((width - 1, height - 1) - boxes)
        records.append(make_record(f'{number}.jpg', number, width, height, np.hstack([corners, corners + boxes]),
                                   np.ones(each, int)))
    return records


def tiny(*overrides, path=TINY):
    """Configuration of sniper_tiny with changes: KEY, VALUE, ... of any type."""
    return load_config(path, list(map(str, overrides)))
