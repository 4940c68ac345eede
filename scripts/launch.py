"""Run a command on several processes or machines: `python scripts/launch.py -n 2 -s 1 python main_train.py ...`.

See docs/distributed.md, or --help.
"""
import os
import sys

# The one script that needs the packages of the repository without being called as a module.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.cli import run  # noqa: E402
from lib.distributed.launch.command import main  # noqa: E402

if __name__ == '__main__':
    run(main)
