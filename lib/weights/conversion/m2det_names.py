"""Names in the files of the original M2Det and ours: the same, but for what a file has more than once or for nothing.

Source: reference/m2det.md sections 3.2, 3.5 and 3.9. A layer that all levels or all scales share is one entry a level
or scale there and one array here. Not here at all: the counters of BatchNorms, and a ResNet's classifier.
"""
import re
from typing import List, Optional

IGNORED = re.compile(r'.*\.num_batches_tracked$|base\.(fc|last_linear)\.(weight|bias)$')
# (module, entry, rest): one leach a level, one of two layers of the attention a scale
SHARED = re.compile(r'(leach|sfam_module\.fc[12])\.(\d+)\.(.+)$')


def our_name(name: str) -> Optional[str]:
    """Name here of an entry of a file; None if it stands for nothing that is computed."""
    if IGNORED.match(name):
        return None
    return SHARED.sub(r'\1.0.\3', name)


def original_names(name: str, levels: int, scales: int) -> List[str]:
    """Names in a file of what is `name` here; several for a layer that levels or scales share."""
    match = SHARED.match(name)
    if not match:
        return [name]
    count = levels if match.group(1) == 'leach' else scales
    return [f'{match.group(1)}.{entry}.{match.group(3)}' for entry in range(count)]
