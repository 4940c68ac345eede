"""Lists of WIDER FACE made on the spot, and detections near their faces."""
import os

import numpy as np
from scipy.io import savemat

from lib.dataset.wider.lists import SETTINGS
from lib.dataset.wider.scoring import Found

HEIGHTS = {'easy': 30, 'medium': 15, 'hard': 8}     # of the lowest face that counts


def cells(values):
    """A column of cells."""
    array = np.empty((len(values), 1), object)
    for place, value in enumerate(values):
        array[place, 0] = value
    return array


def content(faces, counted=None):
    """{field: value} of a list. faces: {event: {picture: rows x y w h}}; counted: the same with numbers from 1."""
    fields = {'event_list': cells(list(faces)), 'file_list': cells([cells(list(event)) for event in faces.values()]),
              'face_bbx_list': cells([cells([np.array(rows, np.float64).reshape(-1, 4) for rows in event.values()])
                                      for event in faces.values()])}
    if counted is not None:
        fields['gt_list'] = cells([cells([np.array(numbers, np.float64).reshape(-1, 1) for numbers in event.values()])
                                   for event in counted.values()])
    return fields


def at_least(faces, height):
    """Numbers, from 1, of the faces of this height and more."""
    return {event: {name: [number for number, row in enumerate(rows, 1) if row[3] >= height]
                    for name, rows in pictures.items()} for event, pictures in faces.items()}


def write_lists(folder, faces, image_set='val', with_faces=True, **options):
    """wider_<setting>_<set>.mat and, with_faces, wider_face_<set>.mat in a folder -> its path as str."""
    os.makedirs(folder, exist_ok=True)
    for setting in SETTINGS:
        savemat(os.path.join(folder, f'wider_{setting}_{image_set}.mat'),
                content(faces, at_least(faces, HEIGHTS[setting])), **options)
    if with_faces:
        savemat(os.path.join(folder, f'wider_face_{image_set}.mat'), content(faces), **options)
    return str(folder)


def random_faces(rng, pictures=12):
    """In two events; the last picture of each has no face."""
    faces = {'0--Parade': {}, '1--Party': {}}
    for number in range(pictures):
        count = rng.randint(1, 9)
        rows = np.column_stack([rng.randint(0, 200, (count, 2)), rng.randint(4, 60, (count, 2))])
        faces[f'{number % 2}--' + ('Party' if number % 2 else 'Parade')][f'p_{number}'] = rows.tolist()
    for event in faces.values():
        event['empty'] = []
    return faces


def random_found(rng, lists, an_image=9):
    """Some near faces, some twice, some elsewhere, scores of few values; pictures in no order."""
    picture, box = [], []
    for number in range(len(lists.names)):
        of_picture = lists.faces[lists.starts[number]:lists.starts[number + 1]]
        for _ in range(rng.randint(0, an_image)):
            near = len(of_picture) and rng.rand() < 0.8
            row = of_picture[rng.randint(len(of_picture))] + rng.randint(-3, 4, 4) if near else rng.randint(5, 90, 4)
            picture.append(number)
            box.append(row)
    order = rng.permutation(len(picture))
    return Found(np.array(picture, np.int64)[order], np.array(box, np.float64).reshape(-1, 4)[order],
                 np.round(rng.rand(len(picture)) ** 2, 2))
