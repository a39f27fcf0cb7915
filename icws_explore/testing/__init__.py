"""Tests of a dapp's canister: what the pytest plugin gives a test.

`plugin` is what pytest loads: options, fixtures and the report of a failure. It imports nothing of the rest until a
test uses a fixture. `settings` reads what is tested and how. `bench` is what a test sees: a lab with a clock that the
test moves, and clients. `virtual` runs it in the simulator, `sockets` in a lab over real sockets. `failure` writes what
a failed test leaves.
"""

from __future__ import annotations
