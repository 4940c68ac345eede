"""Images of a test that could not be read: the test goes on without detections there, and says so at its end."""
import os
from typing import Dict, Optional

import numpy as np

from lib.bbox.detections import Detections
from lib.image import ImageFile, ImageNotices
from lib.utils.errors import SniperError

NAMED = 5   # images that the last line names


def unreadable_images(roidb, notices: ImageNotices) -> Dict[int, str]:
    """{number of the image: why it cannot be read}, in order."""
    if not notices.unreadable:
        return {}
    return {number: notices.unreadable[entry['image']] for number, entry in enumerate(roidb)
            if entry['image'] in notices.unreadable}


def without_images(detections: Detections, images) -> Detections:
    """Without those of some images: what a scale found before the file vanished is no answer."""
    return detections.take(~np.isin(detections.image, list(images))) if images else detections


def why_unreadable(entry) -> Optional[str]:
    """Why the image of a roidb record cannot be read, None if it can."""
    try:
        ImageFile(entry['image'], entry['width'], entry['height']).decode()
    except SniperError as error:
        return str(error)
    return None


def check_any_readable(roidb, unreadable: Dict[int, str]) -> None:
    """SniperError if no image of a test could be read."""
    if unreadable and len(unreadable) == len(roidb):
        raise SniperError(f'none of the {len(roidb)} images can be read: {next(iter(unreadable.values()))}')


def end_with(roidb, unreadable: Dict[int, str], consequence: str) -> None:
    """At the very end of a test: SniperError, which makes the exit status 1, if there are unreadable images.

    consequence: what became of them, 'they count as ...'.
    """
    if not unreadable:
        return
    numbers = list(unreadable)
    others = [os.path.basename(roidb[number]['image']) for number in numbers[1:NAMED]]
    if len(numbers) > NAMED:
        others.append('...')
    named = unreadable[numbers[0]] + (f'; nor {", ".join(others)}' if others else '')
    raise SniperError(f'{len(unreadable)} of {len(roidb)} images could not be read ({named}): {consequence}; mend them '
                      'or leave them out, and test again')
