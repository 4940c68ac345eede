"""Networks in MXNet's symbol API, put together from backbones, necks and heads.

`get_detector(name)` is the way in; `symbols.detectors` shows what each detector consists of. Importing this package
does not load MXNet; `get_detector` does.
"""
from symbols.registry import detector_names, get_detector, register_detector

__all__ = ['detector_names', 'get_detector', 'register_detector']
