"""Annotations in the encodings and forms that tools write."""
import re

import pytest

from lib.dataset.voc_annotations import read_annotation
from lib.utils.errors import SniperError
from tests.dataset.voc_folder import xml


def text(name, declared=None):
    head = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ''
    return head + xml((name, 1, 2, 30, 40), extra='<filename>a.jpg</filename>')


def classes(tmp_path, content):
    path = tmp_path / 'a.xml'
    path.write_bytes(content)
    annotation = read_annotation(str(path))
    assert (annotation.width, annotation.filename) == (100, 'a.jpg') and annotation.objects[0].box == (1, 2, 30, 40)
    return [item.name for item in annotation.objects]


@pytest.mark.parametrize('name, declared, encoding', [
    ('圆盘', 'gb2312', 'gb2312'), ('圆盘', 'GBK', 'gbk'), ('镕', 'gb2312', 'gbk'), ('圓盤', 'big5', 'big5'),
    ('円盤', 'Shift_JIS', 'shift_jis'), ('①', 'shift_jis', 'cp932'), ('円盤', 'x-sjis', 'cp932'),
    ('円盤', 'euc-jp', 'euc_jp'), ('원반', 'euc-kr', 'euc_kr'), ('диск', 'windows-1251', 'cp1251'),
    ('café', 'ISO-8859-1', 'latin-1'), ('€', 'windows-1252', 'cp1252'), ('café', 'utf-8', 'utf-8'),
    ('café', None, 'utf-8-sig'), ('café', 'gb2312', 'utf-8-sig'), ('円', 'utf-16', 'utf-16'), ('円', 'utf-8', 'utf-16'),
    ('円', 'utf-16', 'utf-8'), ('円', 'utf-16', 'utf-16-le'), ('円', 'utf-16', 'utf-16-be'), ('円', None, 'utf-32'),
    ('café', 'us-ascii', 'utf-8')])
def test_encodings(tmp_path, name, declared, encoding):
    assert classes(tmp_path, text(name, declared).encode(encoding)) == [name]


@pytest.mark.parametrize('change', [
    lambda x: '\r\n \n<?xml version="1.0"?>' + x, lambda x: x.replace('\n', '\r\n'), lambda x: x.replace('\n', '\r'),
    lambda x: re.sub(r'<(/?)(\w)', r'<\1v:\2', x).replace('<v:annotation>', '<v:annotation xmlns:v="urn:v">'),
    lambda x: x.replace('<annotation>', '<annotation xmlns="urn:v" verified="yes">'),
    lambda x: re.sub('<(/?)([a-z])', lambda found: f'<{found[1]}{found[2].upper()}', x),
    lambda x: '<!DOCTYPE annotation SYSTEM "voc.dtd">' + x])
def test_forms(tmp_path, change):
    assert classes(tmp_path, change(text('cat')).encode()) == ['cat']


def test_letters_where_they_do_not_matter(tmp_path):
    """A path in another encoding is nothing that is asked for."""
    content = text('cat').replace('<size>', '<folder>José</folder><path>C:\\José\\é.jpg</path><size>')
    assert classes(tmp_path, content.encode('latin-1')) == ['cat']
    path = tmp_path / 'b.xml'
    path.write_bytes(text('cat').replace('a.jpg', 'é.jpg').encode('latin-1'))
    assert read_annotation(str(path)).filename == ''


@pytest.mark.parametrize('content, said', [
    (text('café').encode('latin-1'), 'byte 0xe9 in line 3 is not UTF-8, and no other encoding is declared: save'),
    (text('café', 'utf-8').encode('latin-1'), 'byte 0xe9 in line 4 is not UTF-8, the declared encoding'),
    (text('円', 'gb2312').encode('utf-8')[:-40] + b'\xff</annotation>', 'is not valid XML'),
    (text('cat', 'klingon').encode(), r"is not valid XML \(unknown encoding 'klingon'\): save it as UTF-8"),
    (text('cat', 'zlib').encode(), 'unknown encoding'), (text('cat', 'punycode').encode(), 'unknown encoding'),
    (text('cat', 'utf-7').encode(), 'unknown encoding'), (text('cat', 'unicode_escape').encode(), 'unknown encoding'),
    (b'', 'it is empty or cut short'), (text('cat').encode()[:150], 'it is'),
    (text('D&D').encode(), 'an & is written &amp;'), ((text('cat') * 2).encode(), 'a file holds one <annotation>'),
    (b'<annotations><version>1.1</version></annotations>', r"CVAT's own\? set dataset.dataset cvat")])
def test_refused(tmp_path, content, said):
    path = tmp_path / 'a.xml'
    path.write_bytes(content)
    with pytest.raises(SniperError, match=r'annotation file .*a\.xml.*' + said):
        read_annotation(str(path))
