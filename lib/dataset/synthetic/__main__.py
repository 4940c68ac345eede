"""python -m lib.dataset.synthetic: makes the synthetic data set."""
from lib.cli import run
from lib.dataset.synthetic import main

if __name__ == '__main__':
    run(main)
