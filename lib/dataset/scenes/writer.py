"""From a seed to an image file: the work of one process."""
import os

import cv2
import numpy as np

from lib.dataset.scenes.scene import draw_scene

JPEG_QUALITY = 95


def draw_to_file(task):
    """Draw one scene and write it as JPEG.

    task: (path, image id, seed), the seed a tuple of whole numbers.
    Returns (COCO image entry, list of COCO annotations without ids). OSError if the file cannot be written.
    """
    path, image_id, seed = task
    image, annotations = draw_scene(np.random.default_rng(seed))
    _, encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    with open(path, 'wb') as stream:  # the folder as a whole is under a temporary name
        stream.write(encoded.tobytes())
    height, width = image.shape[:2]
    return {'id': image_id, 'file_name': os.path.basename(path), 'width': width, 'height': height}, annotations


def one_thread():
    """Start of a worker process: the processes share the cores already."""
    cv2.setNumThreads(1)
