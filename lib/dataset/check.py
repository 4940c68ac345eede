"""Read every file and picture of a data set, and say in one report what is odd.

    python -m lib.dataset.check FOLDER [--train SETS] [--test SET] [--one-class] [--json FILE]

Exit status 1 if something must be mended: pictures that cannot be read or are of another size than their annotation
says, annotation files that cannot be used, pictures that are trained and tested on, classes that cannot be learnt.
"""
import argparse
import collections
import json
import logging
import os
import sys
import tempfile
import time
from typing import Dict, List, NamedTuple, Optional, Sequence

from lib import cli
from lib.dataset.class_choice import ClassChoice, OneClass
from lib.dataset.coco_file import NO_SIZE
from lib.dataset.image_sets import ImageSets, checked_sets, find_image_sets
from lib.dataset.object_check import balance_findings, class_counts, object_findings, training_findings
from lib.dataset.picture_check import (
    Finding,
    copy_findings,
    named,
    picture_findings,
    read_pictures,
    unlisted_findings,
)
from lib.dataset.registry import get_dataset
from lib.utils.counted import counted
from lib.utils.errors import SniperError
from lib.utils.files import check_writable, text_writer
from lib.utils.reachable import why_unreadable
from lib.utils.user_path import user_path

_TOLD_EVERY = 10    # seconds
_NAMED_EMPTY = 30   # classes without an object, that each get a row


class Report(NamedTuple):
    """counts: {set: {class: objects}}; pictures: {set: number}; findings: in the order of their kinds."""

    sets: ImageSets
    pictures: Dict[str, int]
    counts: Dict[str, Dict[str, int]]
    findings: List[Finding]

    @property
    def status(self) -> int:
        """Exit status: 1 if something must be mended."""
        return int(any(finding.mend for finding in self.findings))

    def lines(self) -> List[str]:
        """The report as text."""
        lines = self._table() + ['']
        for mend, title in ((True, 'To be mended'), (False, 'Worth a look')):
            chosen = [finding for finding in self.findings if finding.mend == mend]
            lines += [title] + [f'  {finding.text}' for finding in chosen] if chosen else []
        return lines + ([] if self.findings else ['Nothing odd'])

    def _table(self):
        """Pictures and objects by set and class."""
        names = list(self.pictures)
        classes = list(dict.fromkeys(name for of_set in self.counts.values() for name in of_set))
        rows = [['', *names], ['pictures', *(str(self.pictures[name]) for name in names)],
                ['objects', *(str(sum(self.counts[name].values())) for name in names)]]
        of_class = {label: [self.counts[name].get(label, 0) for name in names] for label in classes}
        empty = [label for label, counts in of_class.items() if not any(counts)]
        shown = classes if len(empty) <= _NAMED_EMPTY else [label for label in classes if any(of_class[label])]
        rows += [[label, *map(str, of_class[label])] for label in shown]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        more = [] if shown is classes else [f'{len(empty)} other classes have no object']
        return ['  '.join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])])
                .rstrip() for row in rows] + more


class _Collected(logging.Handler):
    """What the readers of annotation files warn of."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts: Dict[str, None] = collections.OrderedDict()

    def emit(self, record):
        self.texts[record.getMessage()] = None


def check_data(folder: str, found: ImageSets, progress=lambda read, total: None,
               choice: Optional[ClassChoice] = None) -> Report:
    """Report of a folder with the sets `found`. Nothing is written but to a temporary folder. choice: of classes, None
    for all."""
    roidbs, classes, findings = _read_sets(folder, found, choice)
    sets = {name: {os.path.realpath(record['image']) for record in roidb} for name, roidb in roidbs.items()}
    sizes, missing = {}, {}
    for roidb in roidbs.values():
        for record in roidb:
            path = os.path.realpath(record['image'])
            reason = why_unreadable(path)
            if reason:
                missing[path] = reason
            else:
                sizes[path] = record['width'], record['height']
    facts = read_pictures(sizes, progress)
    if missing:
        findings.append(Finding(True, 'missing', len(missing), counted(
            len(missing), 'picture file is', 'picture files are') + ' not there or closed: ' + named(
                [f'{path} {reason}' for path, reason in missing.items()])))
    findings += picture_findings(facts) + copy_findings(facts, sets, found.training) + object_findings(roidbs)
    counts = {name: class_counts(classes[name], roidb) for name, roidb in roidbs.items()}
    if counts.keys() >= set(found.training):
        findings += training_findings(counts, found.training)
    if counts.keys() >= {*found.training, found.test} and not found.shared:
        findings += balance_findings(counts, found.training, found.test)
    findings += unlisted_findings(set().union(*sets.values())) if sets else []
    return Report(found, {name: len(roidb) for name, roidb in roidbs.items()}, counts, findings)


def _read_sets(folder, found, choice):
    """-> ({set: roidb}, {set: classes}, what is odd about the annotation files)."""
    collected, logger = _Collected(), logging.getLogger('lib.dataset')
    roidbs, classes, findings, before = {}, {}, [], logger.propagate
    logger.addHandler(collected)
    logger.propagate = False    # they stand in the report
    try:
        with tempfile.TemporaryDirectory() as caches:
            for name in found.names:
                try:
                    dataset = get_dataset(found.format, name, caches, folder, choice=choice)
                    roidbs[name], classes[name] = list(dataset.roidb()), tuple(dataset.classes)
                except SniperError as error:
                    findings.append(Finding(True, 'refused', 1, str(error)))
                    continue
                for kind, of_class in dataset.not_trained.items():
                    count = sum(of_class.values())
                    if count:
                        findings.append(Finding(False, 'not trained', count, f'{name}: {count} objects are {kind} and '
                                                'are not trained on'))
    finally:
        logger.removeHandler(collected)
        logger.propagate = before
    findings = list(dict.fromkeys(findings))    # a folder that is refused is so for each of its sets
    return roidbs, classes, findings + [Finding(NO_SIZE in text, 'annotations', 1, text) for text in collected.texts]


def parse_arguments(argv: Sequence[str] = None):
    """Command line -> namespace."""
    parser = argparse.ArgumentParser(prog='python -m lib.dataset.check', description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=user_path, help='of the data set: dataset.dataset_path')
    parser.add_argument('--train', default='', metavar='SETS', help="sets to train on, joined by '+' (by their names)")
    parser.add_argument('--test', default='', metavar='SET', help='set to test on (by its name)')
    parser.add_argument('--one-class', action='store_true', help="as for dataset.CLASS_AGNOSTIC True: all is 'object'")
    parser.add_argument('--json', type=user_path, default='', metavar='FILE', help='write the report there too')
    return parser.parse_args(argv)


def main(argv=None) -> int:
    """-> exit status. SniperError: the folder is no data set."""
    args = parse_arguments(argv)
    cli.setup_logging()
    found = checked_sets(find_image_sets(args.folder), args.train, args.test)
    if args.json:
        check_writable(args.json)
    print(f'{args.folder}: {found.text}')
    report = check_data(args.folder, found, _Progress(), OneClass() if args.one_class else None)
    print('\n'.join(report.lines()))
    if args.json:
        with text_writer(args.json) as stream:
            json.dump({'format': found.format, 'pictures': report.pictures, 'objects': report.counts,
                       'findings': [finding._asdict() for finding in report.findings]}, stream, indent=1)
    return report.status


class _Progress:
    """A line on standard error now and then."""

    def __init__(self):
        self._told = time.monotonic()

    def __call__(self, read, total):
        if time.monotonic() - self._told > _TOLD_EVERY:
            self._told = time.monotonic()
            print(f'{read} of {total} pictures are read', file=sys.stderr)


if __name__ == '__main__':
    cli.run(main, prints=True)
