"""The same pictures and objects as folders in every format that is read."""
import json
import os

import cv2
import numpy as np

from tests.dataset.voc_folder import write, xml

NAMES = ('ball', 'egg', 'rod')
SIZES = {'a': (96, 64), 'b': (65, 97), 'c': (80, 80), 'd': (77, 50)}   # of pictures; d has no objects
BOXES = {'a': [(2, 5, 6, 30, 40), (0, 50, 10, 17, 9)], 'b': [(1, 3, 11, 41, 37)], 'c': [
    (0, 8, 8, 64, 64), (1, 1, 1, 9, 9)], 'd': []}   # label from 0, x, y, width, height
SET = 'val'


def pictures(folder, stems=SIZES):
    """{stem}.png of SIZES in a folder."""
    os.makedirs(folder, exist_ok=True)
    for number, stem in enumerate(stems):
        width, height = SIZES[stem]
        pixels = np.random.RandomState(number).randint(0, 256, (height, width, 3)).astype(np.uint8)
        assert cv2.imwrite(os.path.join(folder, stem + '.png'), pixels)


def coco_content(prefix='', first_category=1, above=()):
    categories = list(above) + [{'id': number, 'name': name, 'supercategory': 'things'}
                                for number, name in enumerate(NAMES, first_category)]
    images = [{'id': number, 'file_name': f'{prefix}{stem}.png', 'width': SIZES[stem][0], 'height': SIZES[stem][1]}
              for number, stem in enumerate(SIZES)]
    annotations = [{'id': 10 * number + place, 'image_id': number, 'category_id': label + first_category,
                    'bbox': list(box), 'area': box[2] * box[3], 'iscrowd': 0}
                   for number, stem in enumerate(SIZES) for place, (label, *box) in enumerate(BOXES[stem])]
    return json.dumps({'images': images, 'annotations': annotations, 'categories': categories})


def voc_text(stem):
    return xml(*[(NAMES[label], x + 1, y + 1, x + w, y + h) for label, x, y, w, h in BOXES[stem]], size=SIZES[stem])


def coco(root):
    write(root / 'annotations' / 'instances_val.json', coco_content())
    pictures(root / 'images' / 'val')


ABOVE = [{'id': 0, 'name': 'things', 'supercategory': 'none'}]   # Roboflow's first category


def roboflow_coco(root):
    write(root / 'val' / '_annotations.coco.json', coco_content(above=ABOVE))
    pictures(root / 'val')


def label_studio_coco(root):
    """Its `all` is called as the set here."""
    write(root / 'val.json', coco_content('images\\', 0))
    pictures(root / 'images')


def voc(root):
    for stem in SIZES:
        write(root / 'Annotations' / f'{stem}.xml', voc_text(stem))
    write(root / 'ImageSets' / 'Main' / 'val.txt', '\n'.join(SIZES))
    write(root / 'classes.txt', '\n'.join(NAMES))
    pictures(root / 'JPEGImages')


def roboflow_voc(root):
    for stem in SIZES:
        write(root / 'val' / f'{stem}.xml', voc_text(stem))
    pictures(root / 'val')


def yolo_rows(stem, outlines=False):
    (width, height), rows = SIZES[stem], []
    for label, x, y, w, h in BOXES[stem]:
        numbers = ([x, y, x + w, y, x + w, y + h, x, y + h] if outlines else [x + w / 2, y + h / 2, w, h])
        rows.append(' '.join([str(label)] + [f'{number / (height if place % 2 else width):.6f}'
                                             for place, number in enumerate(numbers)]))
    return '\n'.join(rows)


YOLO_YAML = f'train: ../train/images\nval: ../val/images\nnc: 3\nnames: {list(NAMES)}\n'


def yolo(root, stems=SIZES):
    write(root / 'data.yaml', YOLO_YAML)
    for stem in stems:
        write(root / 'val' / 'labels' / f'{stem}.txt', yolo_rows(stem))
    pictures(root / 'val' / 'images', stems)


def yolo_outlines(root):
    """By lists of pictures, without a file of labels where there is no object."""
    write(root / 'classes.txt', '\n'.join(NAMES))
    write(root / 'val.txt', ''.join(f'./images/{stem}.png\n' for stem in SIZES))
    for stem in filter(BOXES.get, SIZES):
        write(root / 'labels' / f'{stem}.txt', yolo_rows(stem, outlines=True))
    pictures(root / 'images')


def labelme_content(stem, **more):
    shapes = [{'label': NAMES[label], 'points': [[x, y], [x + w, y + h]], 'group_id': None, 'shape_type': 'rectangle',
               'flags': {}} for label, x, y, w, h in BOXES[stem]]
    return json.dumps(dict({'version': '5.4.1', 'flags': {}, 'shapes': shapes, 'imagePath': f'{stem}.png',
                            'imageData': 'AAAA', 'imageHeight': SIZES[stem][1], 'imageWidth': SIZES[stem][0]}, **more))


def labelme(root, stems=SIZES):
    for stem in stems:
        write(root / 'val' / f'{stem}.json', labelme_content(stem))
    pictures(root / 'val', stems)


def cvat_content(subset='val', stems=SIZES):
    images = []
    for number, stem in enumerate(stems):
        width, height = SIZES[stem]
        boxes = ''.join(f'<box label="{NAMES[label]}" occluded="0" xtl="{x:.2f}" ytl="{y:.2f}" xbr="{x + w:.2f}" '
                        f'ybr="{y + h:.2f}" z_order="0"></box>' for label, x, y, w, h in BOXES[stem])
        images.append(f'<image id="{number}" name="{stem}.png" subset="{subset}" width="{width}" height="{height}">'
                      f'{boxes}</image>')
    labels = ''.join(f'<label><name>{name}</name><type>any</type></label>' for name in NAMES)
    return (f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta><task><labels>{labels}'
            f'</labels></task></meta>{"".join(images)}</annotations>')


def cvat(root, stems=SIZES):
    write(root / 'annotations.xml', cvat_content(stems=stems))
    pictures(root / 'images' / 'val', stems)


def csv_lines(folder='', stems=SIZES):
    lines = ['filename,width,height,class,xmin,ymin,xmax,ymax']
    for stem in stems:
        width, height = SIZES[stem]
        rows = [f'{NAMES[label]},{x},{y},{x + w},{y + h}' for label, x, y, w, h in BOXES[stem]] or [',,,,']
        lines += [f'{folder}{stem}.png,{width},{height},{row}' for row in rows]
    return '\n'.join(lines)


def csv(root, stems=SIZES):
    write(root / 'val' / '_annotations.csv', csv_lines(stems=stems))
    pictures(root / 'val', stems)


def bare_csv(root):
    """Of keras-retinanet."""
    lines = [f'/home/me/images/val/{stem}.png,' + row for stem in SIZES for row in (
        [f'{x},{y},{x + w},{y + h},{NAMES[label]}' for label, x, y, w, h in BOXES[stem]] or [',,,,'])]
    write(root / 'val.csv', '\n'.join(lines))
    pictures(root / 'images' / 'val')


def wider_text(stems=SIZES):
    """All objects as faces, whose last pixel is x + w; newer files have a line of zeros where there is none."""
    lines = []
    for stem in stems:
        lines += [f'0--Parade/{stem}.png', str(len(BOXES[stem]))]
        lines += [f'{x} {y} {w - 1} {h - 1} 0 0 0 0 0 0 ' for _, x, y, w, h in BOXES[stem]] or ['0 0 0 0 0 0 0 0 0 0 ']
    return '\n'.join(lines)


def wider(root, stems=SIZES):
    write(root / 'wider_face_split' / 'wider_face_val_bbx_gt.txt', wider_text(stems))
    pictures(root / 'WIDER_val' / 'images' / '0--Parade', stems)


# {name: (what writes it, its key in lib.dataset.registry)}
WRITERS = {'coco': (coco, 'coco'), 'Roboflow COCO': (roboflow_coco, 'coco'),
           'Label Studio': (label_studio_coco, 'coco'), 'VOC': (voc, 'PascalVOC'),
           'Roboflow VOC': (roboflow_voc, 'PascalVOC'), 'YOLO': (yolo, 'yolo'),
           'YOLO outlines': (yolo_outlines, 'yolo'), 'labelme': (labelme, 'labelme'), 'CVAT': (cvat, 'cvat'),
           'CSV': (csv, 'csv'), 'bare CSV': (bare_csv, 'csv')}
