"""Fetching model and proposal archives: addresses and hashes from scripts/downloads.yml, resumed transfers, safe
extraction. `python -m lib.downloads --list` shows what there is."""
