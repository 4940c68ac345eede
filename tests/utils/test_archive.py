"""Archives that want out of their folder, or to fill memory or the disk, leave nothing behind."""
import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile

import pytest

from lib.utils.archive import unpack
from lib.utils.errors import SniperError
from tests.memory import at_most


def tar(*members, mode='w:gz'):
    """members: (name, content) or a TarInfo."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for member in members:
            entry, content = member if isinstance(member, tuple) else (member, b'')
            if isinstance(entry, str):
                entry = tarfile.TarInfo(entry)
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def special(kind, name='a', link='/etc/passwd'):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


def zipped(*members, **changes):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = changes.get('method', zipfile.ZIP_DEFLATED)
            entry.external_attr = changes.get('mode', stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, content)
    return stream.getvalue()


def longname(size):
    """A tar whose first header announces a name of `size` bytes, and goes on for so long with zeros."""
    entry = tarfile.TarInfo('././@LongLink')
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, size
    return gzip.compress(entry.tobuf(tarfile.GNU_FORMAT) + b'\0' * min(size, 1 << 24))


def announced(size):
    entry = tarfile.TarInfo('a')
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def negative_size():
    entry = tarfile.TarInfo('a')
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = struct.pack('>Iq', 0xffffffff, -1024)
    header[148:156] = b' ' * 8
    header[148:156] = f'{sum(header):06o}\0 '.encode()
    return bytes(header) + b'\0' * 10240


def facts(headers, count, length):
    """A tar with that many headers for all that follows, each of `count` facts of `length` bytes, then files."""
    stream = io.BytesIO()
    for number in range(headers):
        records = b''.join(b'%d %04x-%08x=%s\n' % (length, number, index, b'x' * (length - 16 - len(str(length))))
                           for index in range(count))
        entry = tarfile.TarInfo('x')
        entry.type, entry.size = tarfile.XGLTYPE, len(records)
        stream.write(entry.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512))
    return gzip.compress(stream.getvalue() + gzip.decompress(tar(*GOOD)))


def crowded(count):
    """A zip with one file and a directory of `count` entries."""
    entry = struct.pack('<4s6H3I5H2I', b'PK\1\2', 20, 20, 0, 0, 0, 0x21, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b'a'
    size = count * len(entry)
    return (b'PK\3\4' + bytes(26) + b'a' + entry * count
            + struct.pack('<4s4H2IH', b'PK\5\6', 0, 0, 1, 1, size, 31, 0))


GOOD = (('d/a.txt', b'one'), ('d/e/b.txt', b'two'))


@pytest.mark.parametrize('content', [tar(*GOOD), tar(*GOOD, mode='w'), tar(*GOOD, mode='w:bz2'), zipped(*GOOD)],
                         ids=['gzip', 'plain', 'bzip2', 'zip'])
def test_good_archives(tmp_path, content):
    (tmp_path / 'x').write_bytes(content)
    (tmp_path / 'to' / 'd').mkdir(parents=True)
    (tmp_path / 'to' / 'd' / 'a.txt').write_bytes(b'old')
    (tmp_path / 'to' / 'd' / 'c.txt').write_bytes(b'mine')
    assert unpack(str(tmp_path / 'x'), str(tmp_path / 'to')) == 2
    found = {os.path.relpath(os.path.join(where, name), str(tmp_path / 'to')): open(os.path.join(where, name)).read()
             for where, _, names in os.walk(str(tmp_path / 'to')) for name in names}
    assert found == {'d/a.txt': 'one', 'd/e/b.txt': 'two', 'd/c.txt': 'mine'}
    assert os.listdir(str(tmp_path / 'to')) == ['d']


ZEROS = bytes(80 << 20)
BAD = {
    'parent': (tar(('../out', b'x')), 'leads out'), 'hidden parent': (tar(('a/../../out', b'x')), 'leads out'),
    'absolute': (tar(('/tmp/out', b'x')), 'leads out'), 'backslash': (tar(('..\\out', b'x')), 'leads out'),
    'drive': (tar(('C:out', b'x')), 'leads out'), 'long name': (tar(('a/' * 600 + 'b', b'x')), 'plain one'),
    'symbolic link': (tar(special(tarfile.SYMTYPE)), 'is a link'),
    'hard link': (tar(special(tarfile.LNKTYPE)), 'is a link'),
    'link, then through it': (tar(special(tarfile.SYMTYPE, 'a', '..'), ('a/out', b'x')), 'is a link'),
    'device': (tar(special(tarfile.CHRTYPE)), 'special file'), 'pipe': (tar(special(tarfile.FIFOTYPE)), 'special file'),
    'good, then bad': (tar(('good', b'x'), ('../out', b'x')), 'leads out'),
    'bomb': (tar(('a', ZEROS)), '100 times'), 'bzip2 bomb': (tar(('a', ZEROS), mode='w:bz2'), '100 times'),
    'announced 2^40': (gzip.compress(announced(1 << 40) + bytes(1024)), '100 times'),
    'header of 8 MB': (longname(8 << 20), 'header of'), 'header of 2^40': (longname(1 << 33), 'header of'),
    'facts in one header': (facts(1, 700, 20), 'header with'),
    'facts in many headers': (facts(40, 30, 2000), 'header of'),
    'zip directory': (crowded(200000), 'directory has'),
    'negative size': (negative_size(), 'bytes|damaged|header'),
    'cut off': (tar(*GOOD)[:-30], 'cut off'), 'text': (b'<html>404</html>' * 99, 'no tar or zip'),
    'nothing': (b'', 'no tar or zip'), 'no file': (tar(), 'no file'),
    'zip parent': (zipped(('../out', b'x')), 'leads out'), 'zip absolute': (zipped(('/out', b'x')), 'leads out'),
    'zip link': (zipped(('a', b'/etc/passwd'), mode=stat.S_IFLNK | 0o777), 'is a link'),
    'zip bomb': (zipped(('a', ZEROS)), '100 times'), 'zip by lzma': (zipped(*GOOD, method=zipfile.ZIP_LZMA), 'unusual'),
    'zip damaged': (zipped(*GOOD)[:-40], 'no tar or zip'),
}


@pytest.mark.parametrize('name', sorted(BAD))
def test_bad_archives(tmp_path, name):
    content, complaint = BAD[name]
    (tmp_path / 'x').write_bytes(content)
    (tmp_path / 'to').mkdir()
    with at_most(megabytes=8), pytest.raises(SniperError, match=complaint) as error:
        unpack(str(tmp_path / 'x'), str(tmp_path / 'to'))
    assert '\n' not in str(error.value) and str(tmp_path / 'x') in str(error.value)
    assert sorted(os.listdir(str(tmp_path))) == ['to', 'x'] and os.listdir(str(tmp_path / 'to')) == []
