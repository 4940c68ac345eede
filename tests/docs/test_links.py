"""Every page is found from the README in two links, and every link leads somewhere."""
import os
import posixpath
import re

import yaml

from tests.conftest import ROOT
from tests.docs.pages import Page, read_pages

PAGES = read_pages()


def target_of(page, link):
    """'docs/a.md#b' -> path from the root, anchor."""
    path, _, anchor = link.partition('#')
    return posixpath.normpath(posixpath.join(posixpath.dirname(page.path), path)) if path else page.path, anchor


def broken_links(pages):
    found = []
    for page in pages.values():
        for link in page.links:
            if re.match(r'\w+:', link):
                continue
            path, anchor = target_of(page, link)
            if not os.path.exists(os.path.join(ROOT, path)) or anchor and anchor not in pages[path].anchors:
                found.append((page.path, link))
    return found


def test_links_lead_somewhere():
    assert broken_links(PAGES) == []
    assert sum(len(page.links) for page in PAGES.values()) > 100


def test_a_broken_link_is_found():
    text = '[one](nowhere.md) [two](index.md#here) [three](#not-here) [four](../README.md)\n# Here\n'
    pages = {'docs/index.md': Page('docs/index.md', text, [], [])}
    assert broken_links(pages) == [('docs/index.md', 'nowhere.md'), ('docs/index.md', '#not-here')]


def test_every_page_is_two_links_from_the_readme():
    def next_to(paths):
        return {target_of(PAGES[path], link)[0] for path in paths if path in PAGES for link in PAGES[path].links}

    first = next_to(['README.md'])
    assert set(PAGES) - {'README.md'} - first - next_to(first) == set()
    assert 'docs/index.md' in first
    assert set(PAGES) - {'README.md', 'docs/index.md'} - next_to(['docs/index.md']) == set()


def test_the_site_has_every_page():
    with open(os.path.join(ROOT, 'scripts', 'mkdocs.yml'), encoding='utf-8') as stream:
        lists = yaml.safe_load(stream)['nav']
    listed = []
    while lists:
        entry = lists.pop()
        if isinstance(entry, str):
            listed.append(entry)
        else:
            for value in entry.values():
                lists.extend(value if isinstance(value, list) else [value])
    assert sorted(listed) == sorted(PAGES)
