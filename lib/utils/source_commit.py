"""Which version of this program runs."""
import os
import subprocess
from typing import Optional

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS = 10    # for git, which takes long on some network disks


def source_commit() -> Optional[str]:
    """Commit that is checked out, with ' and changes' where tracked files differ from it; None where nobody knows."""
    commit = _git('rev-parse', '--verify', 'HEAD')
    if not commit or os.path.realpath(_git('rev-parse', '--show-toplevel') or '') != os.path.realpath(ROOT):
        return None     # a copy without its history, in a folder that is perhaps of another repository
    return commit + (' and changes' if _git('status', '--porcelain', '--untracked-files=no') else '')


def _git(*arguments):
    """What git prints, None where it fails."""
    try:
        done = subprocess.run(['git', '-C', ROOT, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode('utf-8', 'replace').strip()
