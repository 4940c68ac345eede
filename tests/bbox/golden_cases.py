"""Reading the numbered cases of golden .npz files (layout: golden/pipeline/README.md)."""
import numpy as np

from tests.golden import golden_file


def cases(name):
    """List of dicts name -> array, one a case of the golden file; skips the test if the file is absent."""
    with np.load(golden_file(name)) as archive:
        found = [{} for _ in range(int(archive['n_cases']))]
        for key in archive.files:
            if key != 'n_cases':
                number, field = key.split('/', 1)
                found[int(number)][field] = archive[key]
    assert found, f'no case in {name}'
    for number, case in enumerate(found):
        case['number'] = number
    return found


def ragged(case, field):
    """The list of arrays stored flat as `field` with `field_off`."""
    offsets = case[field + '_off']
    return [case[field][a:b] for a, b in zip(offsets[:-1], offsets[1:])]
