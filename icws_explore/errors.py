"""Every error of the package that a user may catch. `icws_explore` exports them as well.

All are subclasses of `IcwsError`. An error about a type is also a TypeError, and an error about a value is
also a ValueError.
"""

from __future__ import annotations

from icws_explore.protocol.errors import *  # noqa: F403  # exactly the names of __all__
from icws_explore.protocol.errors import __all__  # noqa: F401
