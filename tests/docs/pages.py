"""The pages of the documentation, and what stands in them: links, headings, code."""
import os
import re
from typing import Dict, List, NamedTuple, Tuple

from tests.conftest import ROOT

OUTSIDE = ('README.md', 'CONTRIBUTING.md', 'SNIPER-mxnet/README.md', 'data/README.md', 'benchmarks/RESULTS.md')
_FENCE = re.compile(r'^```(\w*)\n(.*?)^```', re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r'(?:(?<=\n\n)|^)((?: {4}\S.*\n)+)', re.MULTILINE)
_SPAN = re.compile(r'`([^`]+)`')
_LINK = re.compile(r'!?\[[^\]]*\]\(([^)\s]+)\)')
_HEADING = re.compile(r'^#{1,6} (.+)$', re.MULTILINE)


class Page(NamedTuple):
    """text: without its blocks of code. blocks: (language, code). spans: what stands between ` and `, on one line."""
    path: str
    text: str
    blocks: List[Tuple[str, str]]
    spans: List[str]

    @property
    def links(self) -> List[str]:
        return _LINK.findall(_SPAN.sub('', self.text.replace('\n', ' ')))

    @property
    def anchors(self) -> List[str]:
        """Names of the headings, as GitHub makes them."""
        words = (re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading).replace('`', '') for heading in
                 _HEADING.findall(self.text))
        return [re.sub(r'[^\w\- ]', '', word.lower()).replace(' ', '-') for word in words]


def read_page(path: str) -> Page:
    """path: from the repository's root, with '/'."""
    with open(os.path.join(ROOT, path), encoding='utf-8') as stream:
        text = stream.read()
    blocks = _FENCE.findall(text)
    text = _FENCE.sub('', text)
    blocks += [('', re.sub('^ {4}', '', code, flags=re.MULTILINE)) for code in _INDENTED.findall(text)]
    text = _INDENTED.sub('', text)
    spans = [' '.join(span.split()) for span in _SPAN.findall(text)]
    return Page(path, text, blocks, spans)


def read_pages() -> Dict[str, Page]:
    names = sorted(name for name in os.listdir(os.path.join(ROOT, 'docs')) if name.endswith('.md'))
    return {path: read_page(path) for path in (*OUTSIDE, *(f'docs/{name}' for name in names))}
