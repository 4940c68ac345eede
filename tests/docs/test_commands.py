"""What the pages show can be typed: programs, modules, options, configurations, keys and files are there."""
import argparse
import importlib
import os
import re
import shlex
from posixpath import dirname

import pytest

from configs import load_config
from configs.defaults import KEYS
from configs.legacy import LEGACY
from tests.conftest import ROOT
from tests.docs.pages import read_pages

OF_BEFORE = ('docs/changelog.md',)      # names what there was
PAGES = [page for page in read_pages().values() if page.path not in OF_BEFORE]
TINY = 'configs/faster/sniper_tiny_e2e.yml'
STAND_INS = {'...': TINY, 'my.yml': TINY, 'net.onnx': TINY, 'SECONDS': '1', 'CHIPS': '1'}   # for what a reader puts in
PYTHON = ('python', '.venv/bin/python')
OF_OTHERS = ('pytest', 'pip', 'venv')
NO_KEYS = ('TRAIN.LR', 'network.variant')       # a typing error that is explained; names of graphs


class Parsed(Exception):
    """Raised in place of what a program does once it knows its arguments."""


def command_lines(page):
    """Command lines of a page's blocks, with variables put in, and of its spans."""
    for language, code in page.blocks:
        if language in ('', 'bash'):
            variables = {'CFG': TINY}
            for line in code.replace('\\\n', ' ').splitlines():
                line = re.sub(r'^\s*\$ ', '', line)
                assignment = re.match(r'(\w+)=(\S+)(\s+#.*)?$', line)
                if assignment:
                    variables[assignment[1]] = assignment[2]
                yield re.sub(r'\$(\w+)', lambda found: variables.get(found[1], found[0]), line)
    yield from page.spans


def commands(words):
    """Words of a line -> each (program, arguments) of ours in it: a launcher has another behind it."""
    while words and re.match(r'\w+=', words[0]):
        words = words[1:]
    start = 2 if words[1:2] == ['-m'] else 1
    if len(words) <= start or words[0] not in (*PYTHON, 'bash') or words[start].startswith('-') or '..' in words[start]:
        return
    program, rest = ' '.join(words[1:start + 1]), words[start + 1:]
    inner = next((place for place, word in enumerate(rest) if word in PYTHON), len(rest))
    yield program, rest
    yield from commands(rest[inner:])


def module_of(program):
    """The module that runs, or '' where its arguments are not looked at. AssertionError if there is no such program."""
    if program.startswith('-m '):
        module = program[3:]
        folder = os.path.join(ROOT, *module.split('.'))
        assert module in OF_OTHERS or os.path.isdir(folder) or os.path.isfile(folder + '.py'), 'there is no such module'
        return '' if module in OF_OTHERS else module + '.__main__' * os.path.isdir(folder)
    assert os.path.isfile(os.path.join(ROOT, program)), 'there is no such program'
    ours = program.endswith('.py') and not program.startswith('SNIPER-mxnet/')
    return os.path.basename(program)[:-3] if ours else ''


def check(program, arguments):
    """AssertionError or SystemExit if the program does not take these arguments."""
    module = module_of(program)
    cut = next((place for place, word in enumerate(arguments) if word[0:1] == '…'), len(arguments))
    arguments = [STAND_INS.get(word, word) for word in arguments[:cut]]
    for before, word in zip(['', *arguments], arguments):
        assert before != '--cfg' or os.path.isfile(os.path.join(ROOT, word)), f'there is no {word}'
    if not module or not arguments:
        return
    try:
        importlib.import_module(module).main(arguments)
    except Parsed as parsed:
        args = parsed.args[0]
    overrides = getattr(args, 'overrides', None)
    if overrides:
        load_config(getattr(args, 'cfg', None) or getattr(args, 'file', None), overrides)


@pytest.fixture
def only_parsing(monkeypatch):
    parse = argparse.ArgumentParser.parse_known_args

    def parse_and_stop(self, args=None, namespace=None):
        namespace, rest = parse(self, args, namespace)
        if rest:
            self.error(f'unrecognized arguments: {rest}')
        raise Parsed(namespace)

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_known_args', parse_and_stop)
    monkeypatch.syspath_prepend(os.path.join(ROOT, 'scripts'))
    monkeypatch.chdir(ROOT)


def wrong_commands(pages):
    wrong, count = [], 0
    for page in pages:
        for line in command_lines(page):
            try:
                words = shlex.split(re.split(r'\s#|\s->|\s&&', line)[0])
            except ValueError:
                words = []
            for program, arguments in commands(words):
                count += 1
                try:
                    check(program, arguments)
                except (AssertionError, SystemExit, Exception) as error:
                    wrong.append((page.path, program, arguments, str(error)))
    return wrong, count


def test_commands_can_be_typed(only_parsing, capsys):
    wrong, count = wrong_commands(PAGES)
    assert wrong == [] and count > 100, capsys.readouterr().err


@pytest.mark.parametrize('line', ['python main_tests.py', 'python main_test.py --reports', 'python -m lib.nothing',
                                  'bash scripts/nothing.sh', 'python demo.py --cfg configs/nothing.yml',
                                  'python main_train.py --set TRAIN.LR 1',
                                  'python scripts/launch.py -n 2 -s 1 python main_train.py --nothing'])
def test_a_wrong_command_is_found(line, only_parsing, capsys):
    page = PAGES[0]._replace(blocks=[('bash', line)], spans=[])
    assert len(wrong_commands([page])[0]) == 1


def test_files_that_are_named_are_there():
    configurations = {name for _, _, names in os.walk(os.path.join(ROOT, 'configs')) for name in names}
    missing = []
    for page in PAGES:
        words = ' '.join([*page.spans, *(code for _, code in page.blocks)])
        for path in re.findall(r'(?<![\w./-])(?:lib|configs|symbols|scripts|benchmarks|tests|docs)/[\w/-]+\.\w+',
                               words):
            places = (os.path.join(ROOT, folder, path) for folder in ('', dirname(page.path)))
            if 'my_operator' not in path and not any(map(os.path.exists, places)):
                missing.append((page.path, path))
        for name in re.findall(r'(?<![\w./-])((?:sniper|m2det)\w+\.yml)', words):
            if name not in configurations:
                missing.append((page.path, name))
    assert missing == []


def test_keys_that_are_named_are_there():
    keys = {f'{section}.{key}' for tree in (KEYS, LEGACY) for section, names in tree.items()
            if isinstance(names, dict) for key in names}
    missing = []
    for page in PAGES:
        for key in re.findall(r'(?<![\w./])(?:TRAIN|TEST|network|dataset|M2DET)\.[A-Za-z]\w*', ' '.join(page.spans)):
            if key not in keys and key not in NO_KEYS and key[-1] != '_':
                missing.append((page.path, key))
    assert missing == []
