"""python -m lib.convert FILE"""
from lib.cli import run
from lib.convert.command import main

run(main)
