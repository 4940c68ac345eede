"""What exporting needs and can do, for programs that ask before the packages are there, which are optional."""
import importlib

from lib.utils.errors import SniperError

PRECISIONS = ('fp32', 'fp16', 'int8')
INSTALL = '.venv/bin/python -m pip install -r requirements-onnx.txt'


def require(*names: str) -> None:
    """SniperError, in one line, if one of the packages cannot be imported."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise SniperError(f'exporting to ONNX needs the package {name} ({error}): {INSTALL}') from None
