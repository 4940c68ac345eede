"""Detections as the package supervision has them, which is loaded only when this is asked for."""
import numpy as np

from lib.bbox.detections import Detections
from lib.masks import unpack
from lib.outputs.boxes import edges
from lib.utils.errors import SniperError
from lib.visualization import class_name


def to_supervision(found: Detections, image: int = 0):
    """Detections of image number `image` -> supervision.Detections: xyxy (n, 4) float32 edges, confidence (n,),
    class_id (n,), from 0 for the first class, data['class_name'] (n,), and mask (n, H, W) bool where there are masks.

    SniperError if supervision is not installed. ValueError for masks of an image whose size is not known.
    """
    try:
        import supervision
    except ImportError as error:
        raise SniperError(f'the package supervision cannot be loaded ({error}): install it by pip install supervision '
                          '-c requirements.txt, for MXNet cannot use NumPy 2') from None
    found = found.of_image(image)
    mask = None
    if found.mask is not None:
        if not found.sizes:
            raise ValueError('masks need the sizes of their images: Detections(..., sizes=[(width, height), ...])')
        width, height = found.sizes[image]
        mask = np.zeros((len(found), height, width), bool)
        for row, code in enumerate(found.mask):
            if code:
                mask[row] = unpack(code, width, height)
    names = [class_name(found.classes, label) for label in found.label.tolist()]
    return supervision.Detections(xyxy=edges(found.box).astype(np.float32), mask=mask, confidence=found.score,
                                  class_id=found.label.astype(int) - 1, data={'class_name': np.array(names, str)})
