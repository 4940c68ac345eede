"""Class folders of small pictures that the shipped network can tell apart: shapes, each with noise."""
import os

import cv2
import numpy as np

COLOUR = (40, 60, 200)


def draw(pixels, name, box):
    """A shape that fills a box."""
    x1, y1, x2, y2 = box
    middle, radius = ((x1 + x2) // 2, (y1 + y2) // 2), (x2 - x1) // 2
    shape = name.split()[0]
    if shape == 'box':
        cv2.rectangle(pixels, (x1, y1), (x2, y2), COLOUR, -1)
    elif shape == 'disc':
        cv2.circle(pixels, middle, radius, COLOUR, -1)
    elif shape == 'ring':
        cv2.circle(pixels, middle, radius - 4, COLOUR, 7)
    else:
        cv2.fillPoly(pixels, [np.array([(middle[0], y1), (x2, y2), (x1, y2)])], COLOUR)


def scene(shapes, seed, size=(56, 56)):
    """(height, width, 3) uint8; shapes: {name: box}."""
    pixels = np.full((*size, 3), 130, np.uint8)
    for name, box in shapes.items():
        draw(pixels, name, box)
    return np.clip(pixels + np.random.RandomState(seed).randint(-20, 21, pixels.shape), 0, 255).astype(np.uint8)


def write_picture(path, name, seed):
    """A picture of one shape that nearly fills it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    assert cv2.imwrite(path, scene({name: (8 + seed % 3, 8, 46 + seed % 3, 46)}, seed))


def write_classes(folder, names, count, seed=0):
    """<folder>/<name>/<number>.png, `count` a class; -> folder as text."""
    for place, name in enumerate(names):
        for number in range(count):
            write_picture(os.path.join(str(folder), name, f'{number}.png'), name, 1000 * seed + 100 * place + number)
    return str(folder)
