"""Learn classes from a few pictures each, and detect them: python -m lib.fewshot FOLDER [--test_folder FOLDER]
[--detect PICTURE ...] [options]; docs/fewshot.md has the rest."""
from lib.cli import run
from lib.fewshot.command import main

if __name__ == '__main__':
    run(main)
