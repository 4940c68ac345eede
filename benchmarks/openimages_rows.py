"""Open Images' training set at its real size, in rows that are made up: python -m benchmarks.openimages_rows

Writes a file of boxes in the official form (1.2 GB for all 14.6 million), the list of classes and, in place of 1.74
million pictures, which are not there, a file of their sizes; reads them as a training does, each time in a process of
its own; and removes everything. Prints a table and one JSON line; exit status 1 if a bar is missed.

    sorted       rows of a picture follow one another, as in the official files
    scattered    each row is of any picture
    labels       sorted, with nine million labels of pictures beside the boxes
    first        from the files to the usable compact roidb, without reading pictures: seconds, and the process's CPU
    peak         most memory of that process
    again        a second start, from the cache
    headers      sizes of pictures a second: JPEG files of 1024 x 768 just written, by one process and by all cores
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

from lib.dataset import get_dataset
from lib.dataset.openimages.sizes import read_headers
from lib.utils.processes import num_cores, peak_memory

PICTURES, BOXES, LABELS, CLASSES = 1743042, 14610229, 8996795, 601
KINDS = ('sorted', 'scattered', 'labels')
BARS = {'first': 180.0, 'peak': 4e9, 'again': 10.0}
BLOCK = 100000
TEXTS = 50000       # different ends of rows
HEADERS = 20000


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--share', type=float, default=1.0, help='of the real number of pictures and rows')
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=list(KINDS[:2]))
    parser.add_argument('--folder', default=None, help='for the files (default: the system\'s temporary folder)')
    parser.add_argument('--load', help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.load:
        print(json.dumps(load(args.load)))
        return 0
    pictures, boxes, labels = (int(args.share * number) for number in (PICTURES, BOXES, LABELS))
    rows = []
    print(f'{"rows":<10} {"boxes":>10} {"file GB":>8} {"first s":>8} {"CPU s":>7} {"peak GB":>8} {"again s":>8} '
          f'{"peak GB":>8}')
    for kind in dict.fromkeys(args.kinds):
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            size = write(folder, kind, pictures, boxes, labels)
            first, again = measure(folder), measure(folder)
        row = {'row': kind, 'pictures': pictures, 'boxes': boxes, 'file': size, 'first': first['seconds'],
               'cpu': first['cpu'], 'peak': first['peak'], 'again': again['seconds'], 'again_peak': again['peak'],
               'whole': first['boxes'] == again['boxes'] == boxes}
        rows.append(row)
        print(f'{kind:<10} {boxes:>10} {size / 1e9:>8.2f} {row["first"]:>8.1f} {row["cpu"]:>7.1f} '
              f'{row["peak"] / 1e9:>8.2f} {row["again"]:>8.1f} {row["again_peak"] / 1e9:>8.2f}', flush=True)
    headers = headers_a_second(args.folder)
    print('headers a second, by processes: ' + ', '.join(f'{number}: {rate:.0f}' for number, rate in headers.items()))
    holds = all(row['whole'] and all(row[name] < bar for name, bar in BARS.items()) for row in rows)
    print(json.dumps({'benchmark': 'openimages_rows', 'cores': num_cores(), 'rows': rows, 'headers': headers,
                      'holds': holds}, sort_keys=True))
    return 0 if holds else 1


def measure(folder):
    """What a fresh process says of `load`."""
    done = subprocess.run([sys.executable, '-m', 'benchmarks.openimages_rows', '--load', folder], check=True,
                          stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def load(folder):
    """Records to train on."""
    started, before = time.monotonic(), time.process_time()
    dataset = get_dataset('openimages', 'train', os.path.join(folder, 'root'), folder)
    roidb = dataset.roidb('ignore')
    found = len(roidb[len(roidb) // 2]['boxes'])    # usable
    return {'seconds': time.monotonic() - started, 'cpu': time.process_time() - before, 'peak': peak_memory(),
            'boxes': int(roidb.row_counts().sum()), 'of_one': found}


def write(folder, kind, pictures, boxes, labels):
    """The files of a set. -> bytes of the file of boxes."""
    rng = np.random.default_rng(17)
    os.makedirs(os.path.join(folder, 'annotations'))
    os.makedirs(os.path.join(folder, 'images', 'train'))
    codes = [f'/m/0{number:05x}' for number in range(CLASSES)]
    names = [f'{number:016x}' for number in sorted(rng.choice(1 << 62, pictures, replace=False).tolist())]
    # The cache is not taken for right unless its first picture is there.
    open(os.path.join(folder, 'images', 'train', f'{names[0]}.jpg'), 'wb').close()
    place = os.path.join(folder, 'annotations', '{}').format
    with open(place('class-descriptions-boxable.csv'), 'w') as stream:
        stream.writelines(f'{code},Class {number}\n' for number, code in enumerate(codes))
    with open(place('train-image-sizes.csv'), 'w') as stream:
        stream.write('ImageID,Width,Height\n')
        stream.writelines(f'{name},1024,{height}\n' for name, height in zip(names, rng.integers(400, 1024, pictures)))
    image = rng.integers(0, pictures, boxes) if kind == 'scattered' else np.sort(rng.integers(0, pictures, boxes))
    image[:1] = 0   # the first picture has a box
    write_rows(place('train-annotations-bbox.csv'), 'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,'
               'IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside', names, image, box_texts(rng, codes), rng)
    if kind == 'labels':
        texts = [f',verification,{code},{int(rng.integers(2))}\n' for code in codes for _ in range(2)]
        write_rows(place('train-annotations-human-imagelabels-boxable.csv'), 'ImageID,Source,LabelName,Confidence',
                   names, np.sort(rng.integers(0, pictures, labels)), texts, rng)
    return os.path.getsize(place('train-annotations-bbox.csv'))


def box_texts(rng, codes):
    """Ends of rows, after the name of the picture."""
    corners = np.sort(rng.random((TEXTS, 2, 2)), axis=2)
    corners[..., 1] = np.maximum(corners[..., 1], corners[..., 0] + 1e-3).clip(max=1)
    corners[..., 0] = np.minimum(corners[..., 0], corners[..., 1] - 1e-3)
    flags = rng.random((TEXTS, 5)) < (0.66, 0.25, 0.05, 0.05, 0.001)
    sources = ('xclick', 'activemil')
    return [f',{sources[rng.random() < 0.1]},{codes[int(rng.integers(CLASSES))]},1,{x1:.6f},{x2:.6f},{y1:.6f},{y2:.6f},'
            f'{",".join(map(str, of_row.astype(int)))}\n' for ((x1, x2), (y1, y2)), of_row in zip(corners, flags)]


def write_rows(path, header, names, image, texts, rng):
    with open(path, 'w') as stream:
        stream.write(header + '\n')
        for start in range(0, len(image), BLOCK):
            of_block = image[start:start + BLOCK].tolist()
            stream.write(''.join([names[number] + texts[choice] for number, choice in zip(
                of_block, rng.integers(0, len(texts), len(of_block)).tolist())]))


def headers_a_second(folder):
    """{processes: pictures a second}."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)).resize((1024, 768))
        picture.save(os.path.join(place, '0.jpg'), quality=85)
        with open(os.path.join(place, '0.jpg'), 'rb') as stream:
            content = stream.read()
        names = [str(number) for number in range(HEADERS)]
        for name in names:
            with open(os.path.join(place, f'{name}.jpg'), 'wb') as stream:
                stream.write(content)
        rates = {}
        for processes in sorted({1, num_cores()}):
            started = time.monotonic()
            assert (read_headers(place, names, processes) == (1024, 768)).all()
            rates[processes] = HEADERS / (time.monotonic() - started)
    return rates


if __name__ == '__main__':
    sys.exit(main())
