"""COCO-format folders made on the spot; image files are empty, for the loader never opens them."""
import json
import os


def make_folder(root, sets, image_files=True):
    """Write annotation files below `root`.

    sets: {set name: content} (annotations/instances_<set>.json) or {file name with .json: content or raw text}.
    Image files are made at images/<set>/<file_name>. Returns the folder as str.
    """
    root = str(root)
    os.makedirs(os.path.join(root, 'annotations'), exist_ok=True)
    for name, content in sets.items():
        file_name = name if name.endswith('.json') else f'instances_{name}.json'
        with open(os.path.join(root, 'annotations', file_name), 'w', encoding='utf-8') as stream:
            stream.write(content if isinstance(content, str) else json.dumps(content))
        if image_files and isinstance(content, dict) and isinstance(content.get('images'), list):
            for image in content['images']:
                if isinstance(image, dict) and 'file_name' in image:
                    touch(root, 'images', name, image['file_name'])
    return root


def touch(*parts):
    """Make an empty file and its folders; -> path."""
    path = os.path.join(*map(str, parts))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, 'a').close()
    return path


def content(boxes_of_image, categories=((1, 'cat'), (7, 'dog')), width=100, height=80):
    """Annotation file content: {image id: [(category id, x, y, w, h), ...]}."""
    annotations = []
    for image_id, boxes in boxes_of_image.items():
        for category_id, x, y, w, h in boxes:
            annotations.append({'id': len(annotations) + 1, 'image_id': image_id, 'category_id': category_id,
                                'bbox': [x, y, w, h], 'area': w * h, 'iscrowd': 0,
                                'segmentation': [[x, y, x + w, y, x + w, y + h]]})
    return {
        'images': [{'id': image_id, 'file_name': f'{image_id}.jpg', 'width': width, 'height': height}
                   for image_id in boxes_of_image],
        'annotations': annotations,
        'categories': [{'id': identity, 'name': name} for identity, name in categories],
    }
