"""The `icws` command. Exit codes: 0 fine, 1 the subject is bad, 2 usage, 3 could not run."""

from .main import main

__all__ = ["main"]
