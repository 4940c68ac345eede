"""Tables of many classes."""
from lib.dataset.metrics_file import EXTREMES, MOST_IN_TABLE, class_tables


def test_tables():
    few = {f'class {number}': number / 100 for number in range(MOST_IN_TABLE)}
    lines = class_tables(few, 'AP')
    assert lines[0] == 'AP' and all(any(name in line for line in lines) for name in few)
    lines = class_tables(dict(few, another=0.995), 'AP')
    assert [line for line in lines if line.startswith('AP')] == ['AP: the best', 'AP: the worst']
    assert len(lines) == 2 + EXTREMES and 'another' in lines[1] and 'class 0 ' in lines[-1]
    assert class_tables({}, 'AP') == []


def test_no_class_is_lost_whose_name_begins_as_anothers():
    text = '\n'.join(class_tables({'a thing of thirty letters and more 1': 0.125, 'short': 0.5,
                                   'a thing of thirty letters and more 2': 0.25}, 'AP'))
    assert all(figure in text for figure in ('0.125', '0.250', '0.500'))
