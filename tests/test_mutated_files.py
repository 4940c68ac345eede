"""Hundreds of damaged copies of every kind of file that the program reads: each is read or refused in one line, in
little time and memory. The same copies in every run (tests.mutation)."""
import collections
import importlib.util
import io
import json
import os
import pickle
import random
import subprocess
import sys
import tarfile
import zipfile

import cv2
import numpy as np
import pytest
from PIL import Image

from configs import flat_config, load_config
from lib.dataset import get_dataset
from lib.dataset.proposals import ProposalSet, write_proposals
from lib.engine.exported_model import FORMAT, graph_settings
from lib.fewshot.classifier import Examples, FewShotClassifier
from lib.weights.params_file import file_checksum, write_arrays
from tests import mutated_readers
from tests.conftest import ROOT
from tests.dataset import coco_folder, voc_folder
from tests.dataset.formats import folders
from tests.dataset.imagenet import made_up as imagenet
from tests.dataset.proposal_data import python2_pickle, random_rows
from tests.dataset.wider import made_up
from tests.mutation import mutated
from tests.weights.conversion import caffe_sources, torch_pickle
from tests.weights.conversion.test_formats import entry, onnx_of, safetensors

COPIES = 300    # of every kind of file
ARRAYS = {'arg:conv0_weight': np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
          'aux:bn_mean': np.ones(3, np.float32), 'arg:half': np.ones((2, 2), np.float16)}
TREES = [[None, True, 3, 'x', 2.5], {'a': (1, 2), b'b': b'\x00'}]


def encoded(ending, *flags, shape=(30, 40, 3), dtype=np.uint8):
    pixels = np.random.RandomState(3).randint(0, np.iinfo(dtype).max, shape).astype(dtype)
    done, content = cv2.imencode(ending, cv2.blur(pixels, (5, 5)), list(flags))
    assert done
    return content.tobytes()


def turned_jpeg():
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (30, 40), (9, 99, 199)).save(stream, 'JPEG', exif=exif)
    return stream.getvalue()


def params():
    stream = io.BytesIO()
    write_arrays(stream, ARRAYS)
    return stream.getvalue()


def zipped(method):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', method) as archive:
        archive.writestr('a/b.txt', b'text ' * 50)
        archive.writestr('c.bin', bytes(range(256)))
    return stream.getvalue()


def tarred(mode):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name in ('a/b.txt', 'c.bin'):
            info = tarfile.TarInfo(name)
            info.size = 300
            archive.addfile(info, io.BytesIO(b'x' * 300))
    return stream.getvalue()


def proposals(folder):
    rng = np.random.RandomState(0)
    path = str(folder / 'proposals.npz')
    write_proposals(path, ProposalSet.from_images([random_rows(rng, 9), random_rows(rng, 0)], [1, 'b'])._replace(
        origin={'source': 'x'}))
    with open(path, 'rb') as stream:
        return stream.read()


def classifier(folder):
    path = str(folder / 'classifier.npz')
    features = np.random.RandomState(0).normal(0, 1, (4, 2, 3)).astype(np.float32)
    FewShotClassifier(['cat', 'dog'], Examples(features, np.array([0, 0, 1, 1]), tuple('abcd')),
                      {'kind': 'mean', 'scales': [0], 'mirrored': True}).save(path)
    with open(path, 'rb') as stream:
        return stream.read()


def coco_document():
    document = coco_folder.content({1: [(1, 10, 10, 20, 20), (7, 5.5, 5, 9, 9)], 2: [(7, 0, 0, 99, 79)], 3: []})
    document['annotations'][1]['segmentation'] = {'size': [80, 100], 'counts': [4000, 50, 3950]}
    document['annotations'][2]['segmentation'] = {'size': [80, 100], 'counts': 'PlSo0'}
    document['annotations'][2]['iscrowd'] = 1
    return json.dumps(document).encode()


def roidb(folder):
    """A cache as the program writes it, for the annotation file that tests.mutated_readers.Readers.roidb makes."""
    data = coco_folder.make_folder(folder / 'data', {'val': json.loads(coco_document())})
    dataset = get_dataset('coco', 'val', str(folder), data, masks=True)
    cache = mutated_readers.roidb_cache(folder)
    cache.store(dataset.classes, dataset.roidb(), [], {})
    with open(cache.path, 'rb') as stream:
        return stream.read()


def labelme_document():
    polygon = {'label': 'egg', 'points': [[1, 2], [30, 3], [20.5, 25]], 'shape_type': 'polygon', 'group_id': 1}
    content = json.loads(folders.labelme_content('a'))
    return json.dumps(dict(content, shapes=content['shapes'] + [polygon, dict(polygon, points=[[40, 40], [50, 50]],
                                                                              shape_type='circle')])).encode()


def cvat_document():
    shapes = ('<polygon label="egg" points="1.0,2.0;30.0,3.0;20.5,25.0"/><ellipse label="rod" cx="20" cy="20" rx="5" '
              'ry="7" rotation="30"/><box label="rod" xtl="3" ytl="4" xbr="20" ybr="30" rotation="45"/>')
    return folders.cvat_content().replace('</image>', shapes + '</image>', 1).encode()


def format_folders(work):
    """Folders in the formats of labelling tools, of one picture each."""
    for kind, writer in (('yolo', folders.yolo), ('yolo_yaml', folders.yolo), ('labelme', folders.labelme),
                         ('cvat', folders.cvat), ('csv', folders.csv)):
        writer(work / 'formats' / kind, ['a'])
    folders.wider(work / 'formats' / 'wider', ['a', 'd', 'b'])
    folders.roboflow_coco(work / 'formats' / 'roboflow')
    folders.label_studio_coco(work / 'formats' / 'label_studio')


FACES = {'0--Parade': {'a': [(1, 2, 30, 40), (5, 6, 7, 8)], 'b': []}, '1--Party': {'c': [(3, 3, 9, 30)]}}


def wider_lists(work):
    """Folders with lists of faces, one with place for detections -> a list, as it is and packed."""
    (work / 'wider_scored' / '0--Parade').mkdir(parents=True, exist_ok=True)
    made_up.write_lists(work / 'wider_scored', FACES)
    made_up.write_lists(work / 'wider_lists', FACES, do_compression=True)
    return [(work / name / 'wider_hard_val.mat').read_bytes() for name in ('wider_scored', 'wider_lists')]


def imagenet_clusters(work):
    """A folder with the development kit -> its classes."""
    imagenet.write_kit(work / 'imagenet')
    imagenet.write_set(work / 'imagenet')
    return (work / 'imagenet' / imagenet.DEVKIT / 'data' / '3kcls_cluster_result1.txt').read_bytes()


def side_file(folder):
    """Of the checkpoint in the folder of the readers."""
    config = load_config(mutated_readers.CONFIG)
    files = {ending: list(file_checksum(str(folder / f'SNIPER-0001.{ending}'))) for ending in ('params', 'states')}
    return json.dumps({
        'classes': ['__background__', 'cat', 'dog'], 'config': flat_config(config), 'config_hash': 'x', 'epoch': 1,
        'batch': 0, 'batch_size': 8, 'num_update': 7, 'samples': 80, 'seed': 3, 'run': 'r', 'metrics': {},
        'first_chip': 0, 'order_batch': 8, 'files': files}).encode()


def exported_file():
    config = load_config(mutated_readers.CONFIG)
    return json.dumps({
        'optimized': FORMAT, 'graph': '0' * 64, 'params': [1, 2], 'precision': 'int8',
        'settings': graph_settings(config), 'classes': ['__background__', 'cat'],
        'configuration': {'TEST.NMS': -1, 'symbol': 'sniper_tiny'}}).encode()


def good_files(folder):
    """{kind of reader: [(sort of damage, content)]}; folder: of the readers, with what they need beside a file."""
    with open(os.path.join(ROOT, mutated_readers.CONFIG), 'rb') as stream:
        configuration = stream.read()
    tree, storages = torch_pickle.state_dict({'a': np.arange(6, dtype='f4').reshape(2, 3), 'b': np.ones(2, 'f2')})
    rows = [random_rows(np.random.RandomState(1), 5), random_rows(np.random.RandomState(2), 0)]
    files = {
        'params': [('bytes', params())],
        'pickle': [('bytes', pickle.dumps(TREES, protocol)) for protocol in (2, 0, 4)],
        'original_proposals': [('bytes', python2_pickle(rows)), ('bytes', pickle.dumps(rows, 2))],
        'proposals': [('bytes', proposals(folder))],
        'classifier': [('bytes', classifier(folder))],
        'roidb': [('bytes', roidb(folder))],
        'image': [('bytes', encoded('.jpg')), ('bytes', turned_jpeg()), ('bytes', encoded('.png')),
                  ('bytes', encoded('.png', shape=(30, 40), dtype=np.uint16)), ('bytes', encoded('.bmp')),
                  ('bytes', encoded('.tif')), ('bytes', encoded('.webp')), ('bytes', encoded('.ppm'))],
        'coco': [('json', coco_document()), ('text', coco_document())],
        'coco_scores': [('json', coco_document())],
        'voc': [('text', voc_folder.xml(('cat', 1, 2, 30, 40), ('dog', 5, 6, 70, 60, 1)).encode())],
        'yolo_yaml': [('text', folders.YOLO_YAML.encode())],
        'yolo': [('text', (folders.yolo_rows('a') + '\n' + folders.yolo_rows('a', outlines=True)).encode())],
        'labelme': [('json', labelme_document()), ('text', labelme_document())],
        'cvat': [('text', cvat_document())],
        'csv': [('text', folders.csv_lines(stems=['a']).encode()), ('text', b'a.png,1,2,30,40,egg')],
        'wider': [('text', folders.wider_text(['a', 'd', 'b']).encode()),
                  ('text', b'a.png\n0\n0 0 0 0 0 0 0 0 0 0\na.png\n1\n1 2 3 4')],
        'wider_lists': [('bytes', content) for content in wider_lists(folder)],
        'wider_detections': [('text', b'0--Parade/a.jpg\n2\n1 2 30 40 0.5 \n5 6 7 8 0.25 \n')],
        'imagenet_clusters': [('bytes', imagenet_clusters(folder))],
        'imagenet_list': [('text', b'n01/n01_7 n02/n02_2\nn03/n03_7\n'), ('text', b'n01/n01_7 1\nn02/n02_2 2\n')],
        'super_classes': [('json', b'{"beast": ["cat", "dog"], "bird": ["emu"]}')],
        'det_detections': [('text', b'1 0 0.5 1.00 1.00 6.00 6.00\n2 3129 0.001 1 2.5 3 4\n')],
        'roboflow': [('json', folders.coco_content(above=folders.ABOVE).encode())],
        'label_studio': [('json', folders.coco_content('images\\', 0).encode())],
        'voc_list': [('text', b'a\nb\n')],
        'voc_classes': [('text', b'cat\ndog\n')],
        'yaml': [('text', configuration)],
        'overrides': [('text', b'TRAIN.lr\n0.1\nTEST.SCALES\n[[480, 640], [192, 256]]\nsymbol\nsniper_tiny\ngpus\n0,1\n'
                               b'TRAIN.SCALES\n[2.0, 1.0, 256.0]\ndataset.image_set\na+b\nTRAIN.FLIP\nTrue')],
        'hosts': [('text', b'# machines\na\nuser@b:4\nc slots=2\n')],
        'catalogue': [('text', b'a:\n  about: x\n  urls: [http://a/b]\n  sha256: ' + b'ab' * 32 +
                       b"\n  file: b\n  into: d\n  gives: c\n  otherwise: ''\n")],
        'side': [('json', side_file(folder)), ('text', side_file(folder))],
        'exported': [('json', exported_file())],
        'archive': [('bytes', zipped(zipfile.ZIP_DEFLATED)), ('bytes', zipped(zipfile.ZIP_STORED)),
                    ('bytes', tarred('w:gz')), ('bytes', tarred('w'))],
        'weights': [('bytes', torch_pickle.zip_file(tree, storages)), ('bytes', torch_pickle.legacy_file(
            tree, storages, [6, 2])), ('bytes', params())],
    }
    layers = {'a.weight': np.ones((2, 3), 'f4'), 'a.bias': np.ones(2, 'f4'), 'b.weight': np.ones((1, 2))}
    files['caffe'] = [('bytes', caffe_sources.network(layers, packed, old)) for packed in (True, False)
                      for old in (False, True)]
    files['weights'].append(files['caffe'][0])
    if all(map(importlib.util.find_spec, ('onnx', 'safetensors'))):
        data = np.arange(6, dtype=np.float32).tobytes()
        files['weights'] += [('bytes', onnx_of({'a': np.ones((2, 3)), 'b': np.ones(4)})),
                             ('bytes', safetensors({'a': entry([2, 3], 0, 24)}, data))]
    return files


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    """{kind: [(name, 'read', 'refused' or 'traceback', message, seconds)]}, from one process that reads them all."""
    folder = tmp_path_factory.mktemp('mutated')
    work = folder / 'work'
    work.mkdir()
    cat_and_dog = voc_folder.xml(('cat', 1, 2, 30, 40), ('dog', 5, 6, 70, 60, 1))
    for name in ('voc', 'voc_list', 'voc_classes'):
        lists = {'train': 'ab'} if name == 'voc_list' else {}
        voc_folder.make_part(work / name, {'a': cat_and_dog, 'b': cat_and_dog}, lists)
    format_folders(work)
    for name in ('SNIPER-0001.params', 'SNIPER-0001.states'):
        with open(work / name, 'wb') as stream:
            write_arrays(stream, ARRAYS)
    for kind, sources in good_files(work).items():
        (folder / kind).mkdir()
        for number in range(COPIES):
            damage, content = sources[number % len(sources)]
            whole = number < len(sources)   # each is read as it is first: else everything below would be refused
            content = content if whole else mutated(content, random.Random(f'{kind} {number}'), damage)
            (folder / kind / f'{number:04d}').write_bytes(content)
    result = subprocess.run([sys.executable, '-m', 'tests.mutated_readers', str(folder)], capture_output=True, cwd=ROOT,
                            text=True)
    found, begun = collections.defaultdict(list), None
    for kind, name, *outcome in map(json.loads, result.stdout.splitlines()):
        if outcome[0] == 'begun':
            begun = kind, name
        else:
            found[kind].append((name, *outcome))
            begun = None
    if result.returncode or begun:
        kind, name = begun or ('', '')
        found[kind].append((name, f'ended with {result.returncode}', result.stderr[-1500:], 0))
    return found, good_files(work)


KINDS = [name for name in vars(mutated_readers.Readers) if not name.startswith('_')]


@pytest.mark.parametrize('kind', KINDS)
def test_each_is_read_or_refused_in_one_line(outcomes, kind):
    found, sources = outcomes
    bad = [(name, what, message) for name, what, message, _ in found[kind] if what not in ('read', 'refused')]
    assert not bad, '\n'.join(map(str, bad[:3]))
    assert len(found[kind]) == COPIES
    assert all(what == 'read' for _, what, _, _ in found[kind][:len(sources[kind])]), found[kind][:len(sources[kind])]
    for name, _, message, seconds in found[kind]:
        assert message.isprintable() and len(message) < 1000, (name, message)
        assert seconds < mutated_readers.SECONDS, name
