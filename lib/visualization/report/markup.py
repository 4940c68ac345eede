"""HTML and SVG from parts, where text cannot become markup: a plain str is escaped, only what `element` made is not."""
import html
from typing import Any, Iterable, Sequence, Union

from lib.utils.errors import printable

EMPTY = frozenset(('meta', 'img', 'br', 'rect', 'path', 'line', 'circle', 'image', 'use', 'polyline'))


class Markup(str):
    """Text that is markup already."""


def escaped(content: Any) -> Markup:
    """Anything as text of a page; Markup stays. What no font shows, and what turns the writing round, is a '?'."""
    return content if isinstance(content, Markup) else Markup(html.escape(printable(content), quote=True))


def joined(parts: Iterable[Any]) -> Markup:
    """Parts one after another."""
    return Markup(''.join(map(escaped, parts)))


def element(tag: str, *content: Any, **attributes: Any) -> Markup:
    """`<tag attributes>content</tag>`. Attributes: values of any type, left out where None; `class_` is class, and
    other underscores are hyphens (stroke_width)."""
    named = ''.join(f' {name.rstrip("_").replace("_", "-")}="{escaped(_short(value))}"'
                    for name, value in attributes.items() if value is not None)
    if tag in EMPTY:
        return Markup(f'<{tag}{named}/>' if tag not in ('meta', 'img', 'br') else f'<{tag}{named}>')
    return Markup(f'<{tag}{named}>{joined(content)}</{tag}>')


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]], **attributes: Any) -> Markup:
    """A table that scrolls by itself where the screen is narrow; the first cell of a row is its heading."""
    def row(cells):
        first, *others = cells
        return element('tr', element('th', first, scope='row'), *(element('td', cell) for cell in others))
    return element('div', element('table', element('thead', element('tr', *(element('th', cell, scope='col')
                                                                             for cell in head))),
                                  element('tbody', *map(row, rows)), **attributes), class_='scroll', tabindex='0')


def lines(text: str) -> Markup:
    """Text of several lines as it stands."""
    return element('pre', Markup('\n'.join(map(escaped, text.splitlines()))))


def folded(title: Union[str, Markup], *content: Any, opened: bool = False) -> Markup:
    """Content behind a line that opens it."""
    return element('details', element('summary', title), *content, open='' if opened else None)


def figure(value: Any, digits: int = 3) -> str:
    """A share or a score for a cell; a dash where there is none."""
    return '–' if value is None or value < 0 else f'{value:.{digits}f}'


def change(value: Any, digits: int = 3, less_is_better: bool = False) -> Markup:
    """A difference with its sign, coloured as better or worse; nothing where there is none."""
    if value is None:
        return Markup('')
    value = round(value, digits) + 0.0      # + 0.0 makes 0 of -0
    kind = 'same' if value == 0 else 'better' if (value < 0) == less_is_better else 'worse'
    return element('span', f'{value:+.{digits}f}'.replace('-', '−'), class_=kind)


def _short(value):
    """Coordinates to a tenth of a pixel."""
    return f'{value:.1f}'.rstrip('0').rstrip('.') if isinstance(value, float) else value
