"""The page on a test: what is known of it, put together for lib.visualization.report."""
import datetime
import logging
import os
import platform
import time
from typing import Any, List, Mapping, Optional, Tuple

import cv2
import numpy as np

from configs import configuration_text
from lib.dataset.analysis.run import analyse
from lib.dataset.parts import path_of_tests
from lib.inference.autofocus import PixelReport
from lib.inference.other_test import keep, load_other
from lib.utils.processes import num_cores
from lib.utils.short_names import short_names
from lib.utils.source_commit import source_commit
from lib.visualization.report import ReportedData, Run, write_report

logger = logging.getLogger(__name__)

PAGE = 'report.html'


def write_page(test, found, metrics: Optional[Mapping[str, Any]], pixels: PixelReport, other: str = '') -> str:
    """Write `report.html`, and `report.json` for later comparisons, beside the results -> path of the page.

    test: lib.inference.evaluate.Setup, its root the folder of this test's results; found: its Outcome; metrics: of the
    data set's own evaluation; pixels: PixelReport of all scales; other: folder of the results of a test to set beside
    it, '' for none (lib.inference.other_test.find_results).
    """
    start = time.perf_counter()
    dataset, roidb = test.dataset, test.roidb
    truth = dataset.truth()
    folders = [test.root] + [other] * bool(other)
    names = short_names(folders)
    run = Run(names[0], analyse(found.detections, truth, dataset.num_classes, len(roidb)), metrics, found.seconds,
              pixels.figures()['scales'], facts(test), configuration_text(test.config))
    runs: List[Run] = [run]
    if other:
        second = load_other(other, roidb, dataset.classes)
        runs.append(Run(names[1], analyse(second.detections, truth, dataset.num_classes, len(roidb)), **second.kept))
    path = os.path.join(test.root, PAGE)
    write_report(path, ReportedData(dataset.name, dataset.classes, roidb, truth, list(found.unreadable),
                                    dataset.own_scores), runs)
    keep(test.root, run)
    logger.info('report: %s, made in %.1f s', path, time.perf_counter() - start)
    return path


def facts(test) -> List[Tuple[str, str]]:
    """(what, value) of the program, the machine and what was tested."""
    now = datetime.datetime.now().astimezone()
    return [('weights', test.weights.path), ('treatment of the weights', test.weights.treatment or 'none'),
            ('network', str(test.config.symbol)),
            ('data', f'{test.dataset.name} in {path_of_tests(test.config.dataset)}'),
            ('program', source_commit() or 'not known: a copy without its history'),
            ('date', now.strftime('%Y-%m-%d %H:%M %z')),
            ('machine', f'{platform.system()} {platform.machine()}, {num_cores()} of {os.cpu_count()} cores'),
            ('devices', str(test.config.gpus)), ('processes', str(test.config.TEST.CONCURRENT_JOBS)),
            ('Python, NumPy, OpenCV', f'{platform.python_version()}, {np.__version__}, {cv2.__version__}')]
