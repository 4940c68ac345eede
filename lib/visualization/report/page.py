"""The report as a file: head, navigation, sections."""
import os
from typing import Iterator, List, Tuple

from lib.utils.counted import counted
from lib.utils.files import text_writer
from lib.visualization.report import curves, errors, machine, scores, worst
from lib.visualization.report.markup import Markup, element, escaped, joined
from lib.visualization.report.run import ReportedData, Run

STYLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'style.css')
# Whatever should get into the page in spite of `escaped` is neither fetched nor run.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_report(path: str, tested: ReportedData, runs: List[Run]) -> None:
    """Write the page on one run, or on two side by side, of which the first is the one that is reported on.

    Read from the disk are the pictures with the most errors alone. SniperError if the file cannot be written.
    """
    with text_writer(path) as stream:
        for part in _page(tested, runs):
            stream.write(part)


def _page(tested: ReportedData, runs: List[Run]) -> Iterator[str]:
    sections = _sections(tested, runs)
    title = f'{tested.name}: ' + ' and '.join(run.name for run in runs)
    with open(STYLE, encoding='utf-8') as stream:
        style = stream.read()
    yield '<!DOCTYPE html>\n<html lang="en">\n'
    yield element('head', element('meta', charset='utf-8'), element('meta', http_equiv='Content-Security-Policy',
                                                                    content=POLICY),
                  element('meta', name='viewport', content='width=device-width, initial-scale=1'),
                  element('title', title), element('style', Markup(style)))
    yield '\n<body>\n'
    truth = tested.truth
    ignored, unreadable = int(truth.ignored.sum()), len(tested.unreadable)
    text = (f'{counted(len(tested.roidb), "picture", "pictures")}, '
            f'{counted(len(truth.image) - ignored, "object", "objects")} of '
            f'{counted(len(tested.classes) - 1, "class", "classes")}, '
            f'{counted(len(runs[0].analysis.found.image), "detection", "detections")}')
    if ignored:
        text += '; ' + counted(ignored, 'crowd region or difficult object does not count',
                               'crowd regions or difficult objects do not count')
    if unreadable:
        text += '; ' + counted(unreadable, 'picture', 'pictures') + ' could not be read'
    yield element('header', element('h1', title), element('p', text, class_='soft'))
    yield element('nav', *(element('a', name, href=f'#{place}') for place, name, _ in sections))
    yield '\n<main>\n'
    for place, name, parts in sections:
        yield f'<section id="{escaped(place)}">{element("h2", name)}\n'
        for part in parts:
            yield part
            yield '\n'
        yield '</section>\n'
    yield '</main>\n</body>\n</html>\n'


def _sections(tested: ReportedData, runs: List[Run]) -> List[Tuple[str, str, Iterator[Markup]]]:
    """(id, title, parts); sections that have nothing to say are left out, but for pictures, which are made last."""
    made = [('scores', 'Scores', joined([scores.summary(tested, runs), scores.metrics(runs)])),
            ('classes', 'Classes and sizes', scores.classes(tested, runs)),
            ('errors', 'Errors by kind', errors.kinds(runs)),
            ('confusion', 'Confusion', errors.confusions(tested, runs)),
            ('curves', 'Curves', curves.curves(tested, runs))]
    after = [('pixels', 'Chips and pixels', machine.pixels(tested, runs)),
             ('speed', 'Speed', machine.speed(tested, runs)), ('origin', 'Configuration', machine.origin(runs))]
    pictures = [('pictures', 'Worst pictures', worst.worst(tested, runs))] if all(
        run.analysis.confusion is not None for run in runs) else []
    return ([(place, name, iter([content])) for place, name, content in made if content] + pictures +
            [(place, name, iter([content])) for place, name, content in after if content])
