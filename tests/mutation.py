"""Damaged copies of files, the same for the same seed: what bad disks, broken downloads and odd programs leave."""
import copy
import json
import random
import re

NUMBERS = (0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 40,
           (1 << 63) - 1, (1 << 64) - 1)
WORDS = (b'', b'-1', b'0', b'1e400', b'nan', b'-inf', b'99999999999999999999', b'null', b'true', b'"', b'[', b']', b'{',
         b'}', b'<', b'>', b'/', b'\\', b'&amp;', b'\x00', b'\xff\xfe', b'\xef\xbb\xbf', b'%', b'~', b'$', b'..', b'\n',
         b'\r\n', b'\t', b'\xc3\xa9', b'\xed\xa0\x80', b'!!', b'*a', b'&a', b': ', b'- ', b'#')
VALUES = (None, True, False, 0, -1, 1, 0.5, 1e30, float('nan'), float('inf'), float('-inf'), 1 << 70, '', ' ', 'x', '1',
          '../..', '\x00', '\ud800', 'a' * 5000, [], {}, [[]], [None], {'x': 1}, [1, 2, 3, 4], [float('nan')] * 4,
          ['a'] * 4)


def mutated(content: bytes, rng: random.Random, kind: str = 'bytes') -> bytes:
    """One to three damages of `content`; kind: bytes, text (words of formats are put in too) or json (values are)."""
    if kind == 'json' and rng.random() < 0.7:
        return mutated_json(content, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = rng.choice(TEXT_DAMAGES if kind != 'bytes' else DAMAGES)(content, rng)
    return content


def mutated_json(content: bytes, rng: random.Random) -> bytes:
    """A JSON document in which one to three values are others, gone, doubled or under another key."""
    document = json.loads(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = [(None, None)] + list(_places(document))
        parent, key = rng.choice(places)
        if parent is None:
            if rng.random() < 0.1:
                document = copy.deepcopy(rng.choice(VALUES))
        elif rng.random() < 0.15:
            del parent[key]
        elif isinstance(parent, list) and rng.random() < 0.15:
            parent.append(copy.deepcopy(parent[key]))
        elif isinstance(parent, dict) and rng.random() < 0.1:
            parent[rng.choice(('', 'x', str(key).upper(), str(key) + ' '))] = parent.pop(key)
        else:
            parent[key] = copy.deepcopy(rng.choice(VALUES))
    return json.dumps(document).encode('utf-8', 'surrogatepass')


def _places(value):
    """(container, key) of everything within a document."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(entries):
        yield value, key
        yield from _places(inner)


def _span(content, rng, longest=64):
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.randint(1, longest))


def _flip_bit(content, rng):
    place = rng.randrange(len(content)) if content else 0
    return content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1:] if content else b''


def _set_byte(content, rng):
    place = rng.randrange(len(content) + 1)
    return content[:place] + bytes([rng.randrange(256)]) + content[place + 1:]


def _cut(content, rng):
    return content[:rng.randrange(len(content) + 1)]


def _cut_head(content, rng):
    return content[rng.randint(1, 16):]


def _remove(content, rng):
    start, stop = _span(content, rng)
    return content[:start] + content[stop:]


def _repeat(content, rng):
    start, stop = _span(content, rng)
    return content[:stop] + content[start:stop] * rng.choice((1, 2, 50)) + content[stop:]


def _put_in(content, rng):
    start, _ = _span(content, rng)
    return content[:start] + bytes(rng.randrange(256) for _ in range(rng.randint(1, 16))) + content[start:]


def _number(content, rng):
    """A length, an offset or a count becomes an extreme one."""
    size, order = rng.choice((1, 2, 4, 4, 8)), rng.choice(('little', 'big'))
    start = rng.randrange(len(content) + 1)
    value = (rng.choice(NUMBERS) & ((1 << 8 * size) - 1)).to_bytes(size, order)
    return content[:start] + value + content[start + size:]


def _zeros(content, rng):
    """A block that a disk lost."""
    start, stop = _span(content, rng, 512)
    return content[:start] + bytes(stop - start) + content[stop:]


def _swap(content, rng):
    (a, b), (c, d) = sorted((_span(content, rng, 32), _span(content, rng, 32)))
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:] if b <= c else content


def _word(content, rng):
    start, _ = _span(content, rng)
    return content[:start] + rng.choice(WORDS) + content[start:]


def _token(content, rng):
    """A number, a name or a text becomes another one."""
    tokens = list(re.finditer(rb'[\w.+-]+|"[^"]*"', content))
    if not tokens:
        return _word(content, rng)
    token = rng.choice(tokens)
    return content[:token.start()] + rng.choice(WORDS) + content[token.end():]


def _lines(content, rng):
    """Lines change places, go or come twice."""
    lines = content.splitlines(keepends=True)
    if len(lines) < 2:
        return _word(content, rng)
    place = rng.randrange(len(lines))
    line = lines.pop(place)
    for _ in range(rng.choice((0, 1, 2))):
        lines.insert(rng.randrange(len(lines) + 1), line)
    return b''.join(lines)


def _encoding(content, rng):
    return content.decode('latin-1').encode(rng.choice(('utf-16', 'utf-16-le', 'utf-8-sig', 'utf-32')))


DAMAGES = (_flip_bit, _set_byte, _cut, _cut_head, _remove, _repeat, _put_in, _number, _number, _zeros, _swap)
TEXT_DAMAGES = DAMAGES + (_word, _word, _token, _token, _token, _token, _lines, _lines, _encoding)
