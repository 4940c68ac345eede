"""python -m lib.weights.conversion FILE"""
from lib.cli import run
from lib.weights.conversion.command import main

run(main)
