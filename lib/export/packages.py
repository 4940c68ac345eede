"""What exporting needs and can do, for programs that ask before the packages are there, which are optional."""
import importlib

from lib.engine.engines import NAMES, check_version
from lib.utils.errors import SniperError

PRECISIONS = ('fp32', 'fp16', 'int8')
INSTALL = '.venv/bin/python -m pip install -r requirements-onnx.txt'


def require(*names: str) -> None:
    """SniperError, in one line, if one of the packages cannot be imported, or a runtime is too old."""
    for name in names:
        try:
            package = importlib.import_module(name)
        except Exception as error:  # a broken installation raises anything
            raise SniperError(f'exporting to ONNX needs the package {name} ({error}): {INSTALL}') from None
        if name in NAMES:
            check_version(name, package, 'exporting to ONNX needs ONNX Runtime, but')
