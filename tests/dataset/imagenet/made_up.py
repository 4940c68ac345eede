"""Folders in ImageNet's layouts with a few pictures, made on the spot."""
import os
import pickle

import numpy as np
from PIL import Image

DEVKIT = 'ILSVRC2014_devkit'
WNIDS = ('n03', 'n01', 'n02')   # in the order of the clusters, which is no sorted one
WORDS = {'n01': 'tench, Tinca tinca', 'n02': 'crane', 'n03': 'crane'}


def picture(path, size=(20, 10)):
    """A picture file."""
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(str(path), 'JPEG')


def annotation(path, objects, size=(20, 10)):
    """An XML file; objects: (class, x1, y1, x2, y2)."""
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    sizes = '<size><width>{}</width><height>{}</height></size>'.format(*size) if size else ''
    boxes = ''.join('<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>'
                    '</bndbox></object>'.format(*item) for item in objects)
    with open(str(path), 'w', encoding='utf-8') as stream:
        stream.write(f'<annotation>{sizes}{boxes}</annotation>')


def dump(path, content):
    """A pickle as Python 2 wrote it: text is bytes in protocol 0."""
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    with open(str(path), 'wb') as stream:
        stream.write(_python2(content) + b'.')


def _python2(value):
    if isinstance(value, dict):
        return b'(d' + b''.join(_python2(key) + _python2(item) + b's' for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return b'(l' + b''.join(_python2(item) + b'a' for item in value)
    if isinstance(value, str):
        return b'S' + repr(value).encode('ascii') + b'\n'
    return b'I%d\n' % value


def hostile(path):
    """A pickle that would run a command."""
    class Command:
        def __reduce__(self):
            return os.system, ('touch /tmp/this_must_not_be',)
    with open(str(path), 'wb') as stream:
        pickle.dump({0: Command()}, stream, 2)


def write_kit(folder, clusters=None, names=WORDS, matching=None):
    """The pickles of a development kit in `folder`."""
    data = os.path.join(str(folder), DEVKIT, 'data')
    dump(os.path.join(data, '3kcls_cluster_result1.txt'), {0: list(WNIDS)} if clusters is None else clusters)
    dump(os.path.join(data, 'wnid_name_dict.txt'), names)
    if matching is not None:
        dump(os.path.join(str(folder), DEVKIT, 'evaluation', '3k_1C_pred', '3k_1C_matching.txt'), matching)


def write_set(folder):
    """Two pictures a class to train on, three to test on, and the lists of the kit."""
    data = os.path.join(str(folder), DEVKIT, 'data')
    names = [f'{wnid}/{wnid}_{number}' for wnid in ('n01', 'n02', 'n03') for number in (7, 2)]
    for name in names:
        picture(os.path.join(str(folder), 'fall11_whole', name + '.JPEG'))
        annotation(os.path.join(str(folder), 'fall11_whole_bbox', name + '.xml'), [(name[:3], 2, 1, 12, 8)])
    with open(os.path.join(data, '3kcls_index.txt'), 'w') as stream:
        stream.write(' '.join(names[:3]) + '\n' + '\n'.join(names[3:]))
    os.makedirs(os.path.join(data, 'det_lists'), exist_ok=True)
    with open(os.path.join(data, 'det_lists', 'val.txt'), 'w') as stream:
        for number, stem in enumerate(('val_9', 'val_3', 'val_5'), 1):
            stream.write(f'{stem} {number}\n')
            picture(os.path.join(str(folder), 'ILSVRC2013_DET_val', stem + '.JPEG'))
    for stem, wnid in (('val_9', 'n02'), ('val_5', 'n01')):
        annotation(os.path.join(str(folder), 'ILSVRC2013_DET_val_bbox', stem + '.xml'), [(wnid, 0, 0, 20, 10)])
    return names
