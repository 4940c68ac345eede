"""Folders in PASCAL VOC's format made on the spot; image files are empty unless asked for."""
import os

import cv2
import numpy as np

from tests.dataset.coco_folder import touch


def write(path, text):
    """Write a text file, with its folders; -> path."""
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    with open(str(path), 'w', encoding='utf-8') as stream:
        stream.write(text)
    return str(path)


def xml(*objects, size=(100, 80), extra=''):
    """Annotation text. objects: (name, xmin, ymin, xmax, ymax[, difficult]); size None leaves it out."""
    parts = [f'<annotation>{extra}']
    if size is not None:
        parts.append('<size><width>{}</width><height>{}</height><depth>3</depth></size>'.format(*size))
    for name, *numbers in objects:
        box = ''.join(f'<{tag}>{number}</{tag}>'
                      for tag, number in zip(('xmin', 'ymin', 'xmax', 'ymax'), numbers))
        difficult = numbers[4] if len(numbers) > 4 else 0
        parts.append(f'<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{box}</bndbox></object>')
    return '\n'.join(parts + ['</annotation>'])


def make_part(root, annotations, sets=None, image_files=True):
    """Annotations/, JPEGImages/ and ImageSets/Main/ below `root`. -> root as str.

    annotations: {image id: annotation text, or None for no file}; sets: {set name: ids}, None for no lists.
    """
    root = str(root)
    os.makedirs(os.path.join(root, 'Annotations'), exist_ok=True)
    for image_id, text in annotations.items():
        if text is not None:
            write(os.path.join(root, 'Annotations', image_id + '.xml'), text)
        if image_files:
            touch(root, 'JPEGImages', image_id + '.jpg')
    for name, ids in (sets or {}).items():
        write(os.path.join(root, 'ImageSets', 'Main', name + '.txt'), ''.join(f'{i}\n' for i in ids))
    return root


def write_image(root, image_id, width, height, extension='.png'):
    """A grey picture in JPEGImages; -> path."""
    path = os.path.join(str(root), 'JPEGImages', image_id + extension)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    assert cv2.imwrite(path, np.full((height, width, 3), 99, np.uint8))
    return path
