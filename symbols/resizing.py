"""Feature maps brought to another size by repeating cells."""
from sniper_mxnet import mx


def nearest_index(length, wanted):
    """Cells of a line of `length` that one of `wanted` cells repeats: [floor(i * length / wanted)]."""
    return [place * length // wanted for place in range(wanted)]


def resize_nearest(data, side, wanted, name):
    """(B, C, side, side) -> (B, C, wanted, wanted) by nearest_index in both directions.

    MXNet repeats by whole factors only. Where repeating each cell and cutting gives the same, that is done, otherwise
    rows and then columns are gathered by index.
    """
    if side == wanted:
        return data
    index, factor = nearest_index(side, wanted), -(-wanted // side)
    if index == [place // factor for place in range(wanted)]:
        larger = mx.sym.UpSampling(data, scale=factor, sample_type='nearest', num_args=1, name=name)
        if factor * side == wanted:
            return larger
        return mx.sym.slice(larger, begin=(None, None, 0, 0), end=(None, None, wanted, wanted), name=f'{name}.cut')
    # Half a unit more than place * side, so that no rounding of the quotient falls below a whole number.
    places = mx.sym.arange(start=0.5, stop=side * wanted, step=side, name=f'{name}.places')
    places = mx.sym.floor(places / wanted)
    rows = mx.sym.take(data, places, axis=2, name=f'{name}.rows')
    return mx.sym.take(rows, places, axis=3, name=name)
