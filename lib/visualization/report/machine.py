"""Sections: what was looked at, how long it took, and by what program with which configuration."""
from typing import List

from lib.visualization.report.charts import bar
from lib.visualization.report.markup import Markup, element, folded, joined, lines, table
from lib.visualization.report.run import ReportedData, Run

SET_UP = 'set-up'   # the stage that does not grow with the pictures


def pixels(tested: ReportedData, runs: List[Run]) -> Markup:
    """Windows and pixels of each scale."""
    parts, images = [], max(len(tested.roidb), 1)
    for run in runs:
        if not run.scales:
            continue
        rows = []
        for scale in run.scales:
            rows.append([scale['name'], f'{scale["windows"]:,}', f'{scale["windows"] / images:.2f}',
                         _millions(scale['pixels']), _share(scale['pixels'], scale['full']),
                         _millions(scale['network'])])
        whole = {name: sum(scale[name] for scale in run.scales) for name in ('windows', 'pixels', 'full', 'network')}
        if len(rows) > 1:
            known = all(scale['network'] for scale in run.scales)
            rows.append([element('b', 'all'), f'{whole["windows"]:,}', f'{whole["windows"] / images:.2f}',
                         _millions(whole['pixels']), _share(whole['pixels'], whole['full']),
                         _millions(whole['network'] if known else 0)])
        parts += [element('h3', run.name) if len(runs) > 1 else '',
                  table(['scale', 'chips or pictures', 'a picture', 'Mpixels', 'of whole pictures',
                         'through the network, padding too'], rows)]
    return joined(parts)


def _millions(number):
    return f'{number / 1e6:,.2f}' if number else '–'


def _share(part, whole):
    return f'{100 * part / whole:.1f} %' if whole else '–'


def speed(tested: ReportedData, runs: List[Run]) -> Markup:
    """Seconds by stage."""
    parts, images = [], max(len(tested.roidb), 1)
    for run in runs:
        running = {stage: seconds for stage, seconds in run.seconds.items() if stage != SET_UP}
        if not running:
            continue
        total = max(sum(running.values()), 1e-9)
        rows = [[stage, f'{seconds:.2f}', f'{1e3 * seconds / images:.2f}', bar(seconds / total)]
                for stage, seconds in running.items()]
        rows.append([element('b', 'in all'), f'{total:.2f}', f'{1e3 * total / images:.2f}', ''])
        text = f'{images / total:.2f} pictures a second and process'
        text += f'; setting up took {run.seconds[SET_UP]:.1f} s more.' if SET_UP in run.seconds else '.'
        if 'network' not in running:
            text += ' Detections were read from files of an earlier test.'
        parts += [element('h3', run.name) if len(runs) > 1 else '', element('p', text),
                  table(['stage', 'seconds', 'ms a picture', ''], rows)]
    return joined(parts) if parts else element('p', 'Nobody measured: detections came from the parts of a test in '
                                               'shards, or from files.')


def origin(runs: List[Run]) -> Markup:
    """Facts and configurations."""
    names = list(dict.fromkeys(name for run in runs for name, _ in run.facts))
    facts = [dict(run.facts) for run in runs]
    parts: List[Markup] = []
    if names:
        parts.append(table(['what'] + [run.name for run in runs],
                           ([name] + [of_run.get(name, '–') for of_run in facts] for name in names)))
    if len(runs) > 1 and all(run.configuration for run in runs):
        parts.append(_changed(runs))
    parts += [folded(f'configuration of {run.name}', lines(run.configuration)) for run in runs if run.configuration]
    return joined(parts)


def _changed(runs):
    """Keys with different values."""
    keys = [_values(run.configuration) for run in runs]
    names = [name for name in dict.fromkeys([*keys[0], *keys[1]]) if keys[0].get(name) != keys[1].get(name)]
    if not names:
        return element('p', 'Both runs have the same configuration.')
    return table(['key'] + [run.name for run in runs],
                 ([name] + [of_run.get(name, '–') for of_run in keys] for name in names))


def _values(text):
    """Lines of a configuration -> {SECTION.key: value}."""
    found, section = {}, ''
    for line in text.splitlines():
        name, _, value = line.partition(':')
        if line.startswith('#') or not name.strip():
            continue
        if line.startswith(' '):
            found[section + name.strip()] = value.strip()
        elif value.strip():
            found[name] = value.strip()
        else:
            section = name + '.'
    return found
