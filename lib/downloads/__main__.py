"""python -m lib.downloads NAME"""
from lib.cli import run
from lib.downloads.command import main

run(main)
