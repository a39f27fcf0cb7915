"""The `icws` command.

Exit codes: 0 if all is well, 1 if what was examined is bad, 2 for wrong usage, 3 if the command could not run.
"""

from .main import main

__all__ = ["main"]
