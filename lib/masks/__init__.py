"""Masks of objects: pasted into their image, and kept as run-length codes (see run_lengths)."""
from lib.masks.run_lengths import pack, paste, unpack

__all__ = ['pack', 'paste', 'unpack']
