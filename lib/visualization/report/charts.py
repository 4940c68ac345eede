"""Curves and bars as inline SVG: a few hundred bytes each, sharp at any size, coloured by the page's style.

matplotlib would take half a second and 30 kB a picture, and a report of 80 classes has 160.
"""
import math
from typing import List, Optional, Sequence, Tuple

import numpy as np

from lib.visualization.report.markup import Markup, element

WIDTH, HEIGHT = 320, 210
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 8, 32
SHARES = tuple((value, f'{value:g}') for value in (0, 0.25, 0.5, 0.75, 1))


class Chart:
    """A chart whose x axis goes from 0 to 1, and its y axis from 0 to 1 too; parts lie over each other in their order.

    ticks: (place from 0 to 1, text) of the y axis.
    """

    def __init__(self, x_label: str, y_label: str, ticks: Sequence[Tuple[float, str]] = SHARES):
        self._label = f'{y_label} by {x_label}'
        self._parts: List[Markup] = []
        for place, text in ticks:
            y = self._y(place)
            self._parts += [element('line', x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_='grid'),
                            element('text', text, x=LEFT - 4, y=y + 3, text_anchor='end')]
        for place, text in SHARES:
            x = self._x(place)
            self._parts += [element('line', x1=x, x2=x, y1=TOP, y2=HEIGHT - BOTTOM, class_='grid'),
                            element('text', text, x=x, y=HEIGHT - BOTTOM + 12, text_anchor='middle')]
        self._parts += [element('text', x_label, x=(LEFT + WIDTH) / 2, y=HEIGHT - 4, text_anchor='middle'),
                        element('text', y_label, x=9, y=HEIGHT / 2 - 10, text_anchor='middle',
                                transform=f'rotate(-90 9 {HEIGHT / 2 - 10:g})')]

    def line(self, x: np.ndarray, y: np.ndarray, kind: str) -> None:
        """A curve through points; kind: class of the style."""
        self._parts.append(element('polyline', points=_points(self._x(np.asarray(x)), self._y(np.asarray(y))),
                                   class_=f'curve {kind}'))

    def bars(self, low: np.ndarray, high: np.ndarray, kind: str) -> None:
        """(n,) bars side by side from `low` to `high`, all of 0 to 1; none where they are equal."""
        edges = self._x(np.linspace(0, 1, len(low) + 1))
        corners = zip(edges[:-1] + 0.5, edges[1:] - 0.5, self._y(low), self._y(high))
        path = ''.join(f'M{left:.1f} {bottom:.1f}V{top:.1f}H{right:.1f}V{bottom:.1f}z'
                       for left, right, bottom, top in corners if bottom > top)
        if path:
            self._parts.append(element('path', d=path, class_=kind))

    def mark(self, x: float, y: Optional[float] = None, kind: str = 'mark') -> None:
        """A point, or without y an upright line."""
        if y is None:
            self._parts.append(element('line', x1=self._x(x), x2=self._x(x), y1=TOP, y2=HEIGHT - BOTTOM, class_=kind))
        else:
            self._parts.append(element('circle', cx=self._x(x), cy=self._y(y), r=3.5, class_=kind))

    def svg(self) -> Markup:
        """The chart."""
        return element('svg', *self._parts, viewBox=f'0 0 {WIDTH} {HEIGHT}', class_='chart', role='img',
                       aria_label=self._label)

    @staticmethod
    def _x(value):
        return LEFT + value * (WIDTH - LEFT - RIGHT)

    @staticmethod
    def _y(value):
        return HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM)


def _points(x, y):
    """Points without those in the middle of three of one height."""
    inner = np.ones(len(x), bool)
    if len(x) > 2:
        inner[1:-1] = (np.abs(y[1:-1] - y[:-2]) > 0.05) | (np.abs(y[1:-1] - y[2:]) > 0.05)
    return ' '.join(f'{a:.1f},{b:.1f}' for a, b in zip(x[inner].tolist(), y[inner].tolist()))


def counts_axis(largest: float) -> tuple:
    """Numbers on a logarithmic axis -> (function of numbers to 0..1, ticks for Chart). 0 is at 0, 1 a little above."""
    decades = max(1, math.ceil(math.log10(max(largest, 1) + 1)))

    def place(numbers):
        return np.log10(1 + np.asarray(numbers, np.float64)) / decades
    return place, [(0, '0')] + [(float(place(10 ** power)), f'{10 ** power:,}' if power < 4 else f'1e{power}')
                               for power in range(decades)]


def bar(share: float, kind: str = 'bar') -> Markup:
    """A bar within a cell of a table: a share from 0 to 1."""
    return element('svg', element('rect', x=0, y=2, width=100 * min(max(share, 0.0), 1.0), height=8, class_=kind),
                   viewBox='0 0 100 12', class_='cellbar', aria_hidden='true')


def heat_map(shares: np.ndarray, titles, names: Sequence[str], corner: str) -> Markup:
    """(n, n) shares 0 to 1 as squares; titles(row, column) -> what a pointer shows; names: of rows and columns."""
    side, room = 14, 110
    parts = []
    for number, name in enumerate(names):
        middle = room + (number + 0.7) * side
        short = name if len(name) <= 18 else name[:17] + '…'
        parts += [element('text', short, x=room - 4, y=middle, text_anchor='end'),
                  element('text', short, x=middle, y=room - 4, transform=f'rotate(-60 {middle:.1f} {room - 4})')]
    for row, column in zip(*np.nonzero(shares)):
        parts.append(element(
            'g', element('title', titles(row, column)),
            element('path', d=f'M{room + column * side} {room + row * side}h{side - 1}v{side - 1}h{1 - side}z',
                    fill_opacity=f'{0.12 + 0.88 * shares[row, column]:.2f}',
                    class_='right' if row == column else 'wrong')))
    size = room + len(names) * side + 64
    parts.append(element('text', corner, x=4, y=14))
    return element('div', element('svg', *parts, viewBox=f'0 0 {size} {size - 64}', class_='heat', role='img',
                                  style=f'width:{size * 1.25:.0f}px', aria_label='confusion'), class_='scroll')
