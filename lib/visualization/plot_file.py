"""What all plots share: colours, drawing without a display, and the file."""
import io
from typing import Any, Dict

from lib.utils.errors import SniperError
from lib.utils.files import write_file

ENDINGS = ('.png', '.svg', '.pdf')
COLOURS = ('#2a7fb8', '#d1495b', '#5a9e6f', '#c9822b', '#7b5ea7', '#4a4e57')
GREY = '#8d99ae'
STYLES = ('-', '--', ':')       # of lines after the last colour


def load_pyplot() -> Any:
    """matplotlib.pyplot, which takes half a second to load."""
    import matplotlib
    matplotlib.use('Agg')  # no display is needed
    from matplotlib import pyplot
    return pyplot


def line_style(number: int) -> Dict[str, Any]:
    """How the line of this number, from 0, is drawn among others."""
    return {'color': COLOURS[number % len(COLOURS)], 'linewidth': 1.5,
            'linestyle': STYLES[number // len(COLOURS) % len(STYLES)]}


def check_ending(path: str, what: str = 'plot') -> None:
    """SniperError for a file that is none of a plot; what: what asks for it, for example an option."""
    if not path.lower().endswith(ENDINGS):
        raise SniperError(f'{what} {path} must end in {", ".join(ENDINGS)}')


def save(figure: Any, path: str) -> None:
    """Write the figure, in the form that the path ends in, and forget it. SniperError: it cannot be written."""
    check_ending(path)
    content = io.BytesIO()
    figure.savefig(content, format=path.rpartition('.')[2].lower(), dpi=110)
    load_pyplot().close(figure)
    write_file(path, content.getvalue())
