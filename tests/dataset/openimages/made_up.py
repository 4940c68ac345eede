"""Small folders in the layout of Open Images."""
import os

from PIL import Image

from tests.dataset.voc_folder import write

HEADER = 'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside'
CLASSES = '/m/0cat,Cat\n/m/0dog,Dog\n/m/0bow1,Bow\n/m/0bow2,Bow\n'
SIZE = (200, 100)


def row(name, code='/m/0cat', box=(0.1, 0.5, 0.2, 0.6), flags='0,0,0,0,0', source='xclick'):
    """A row of the official form; box: XMin, XMax, YMin, YMax."""
    return f'{name},{source},{code},1,{",".join(map(str, box))},{flags}'


# Rows of b are apart; c has a group only.
ROWS = [row('b', '/m/0dog'), row('a', flags='1,0,1,0,0', box=(0, 1, 0, 1)), row('a', flags='-1,-1,-1,-1,-1'),
        row('b', box=(0.25, 0.75, 0.5, 1), flags='0,1,0,1,1', source='activemil'), row('c', flags='0,0,1,0,0')]


def make(folder, rows=ROWS, image_set='train', classes=CLASSES, pictures='abc', labels=(), header=HEADER,
         name='{}-annotations-bbox.csv'):
    """-> the folder as a text. rows: of the file of boxes; pictures: names; labels: rows of image labels."""
    annotations = folder / 'annotations'
    write(annotations / name.format(image_set), '\n'.join([*([header] if header else []), *rows]) + '\n')
    write(annotations / 'class-descriptions-boxable.csv', classes)
    if labels:
        write(annotations / f'{image_set}-annotations-human-imagelabels-boxable.csv',
              '\n'.join(['ImageID,Source,LabelName,Confidence', *labels]) + '\n')
    place = folder / 'images' / image_set
    os.makedirs(place, exist_ok=True)
    for picture in pictures:
        Image.new('RGB', SIZE).save(place / f'{picture}.jpg')
    return str(folder)
