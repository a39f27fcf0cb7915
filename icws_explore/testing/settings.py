"""What a test runs against and how time passes: from the command line, the configuration file, and a marker.

A marker on a test wins over the command line, and that over the configuration file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from icws_explore.lab.apps import APPS, WASM_FILES
from icws_explore.protocol.constants import ACK_INTERVAL_MS, KEEP_ALIVE_TIMEOUT_MS
from icws_explore.protocol.errors import ArgumentValueError

Passing = Literal["virtual", "paused", "scaled"]
TIME_SCALE: Final = 60.0
_WHOLE: Final = ("ack_interval_ms", "keep_alive_timeout_ms", "seed")
_NO_CANISTER: Final = (
    "no canister to test: run pytest --icws-wasm my_canister.wasm, or write icws_wasm = my_canister.wasm "
    "(or icws_app = my_app.py) in the pytest configuration"
)


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """The settings of one test.

    - ``wasm``: the compiled canister. ``app``: in its place, a Python file or the name of an example.
    - ``did``, ``init``: the interface and the argument of ``wasm``, as for `Lab`.
    - ``time``: "virtual" (the simulator: no sockets, no waiting), "paused" (a lab over real sockets whose time only
      passes when the test says so), or "scaled" (a lab whose time passes by itself).
    - ``time_scale``: protocol seconds in a real second, in a lab.
    - ``ack_interval_ms``, ``keep_alive_timeout_ms``: the canister's intervals, as for `Lab`.
    - ``seed``: makes keys and latencies reproducible.

    Raises ArgumentValueError.
    """

    wasm: str | Path | None = None
    app: str | Path | None = None
    did: str | Path | None = None
    init: str | None = None
    time: Passing = "virtual"
    time_scale: float = TIME_SCALE
    ack_interval_ms: int = ACK_INTERVAL_MS
    keep_alive_timeout_ms: int = KEEP_ALIVE_TIMEOUT_MS
    seed: int = 1

    def __post_init__(self) -> None:
        if self.time not in get_args(Passing):
            raise ArgumentValueError(f"icws time is one of {', '.join(get_args(Passing))}, not {self.time!r}")

    def with_texts(self, texts: Mapping[str, str], base: Path) -> BenchSettings:
        """Return these settings with others from texts. Relative paths are below ``base``. Raises ArgumentValueError.

        A ``wasm`` replaces an ``app`` and the other way round.
        """
        changes: dict[str, Any] = {}
        for name, text in texts.items():
            changes[name] = _number(name, text) if name in (*_WHOLE, "time_scale") else text
        return self.changed(changes, base)

    def changed(self, changes: Mapping[str, Any], base: Path) -> BenchSettings:
        """Return these settings with others. Relative paths are below ``base``. Raises ArgumentValueError."""
        known = {field.name for field in fields(self)}
        for name in changes:
            if name not in known:
                raise ArgumentValueError(f"icws has no setting {name!r}; it has {', '.join(sorted(known))}")
        located = {name: _located(name, value, base) for name, value in changes.items()}
        for name, other in (("wasm", "app"), ("app", "wasm")):
            if located.get(name) is not None:
                located.setdefault(other, None)
        return replace(self, **located)

    @property
    def canister(self) -> str | Path:
        """The file or the name of what is tested. Raises ArgumentValueError if there is none."""
        chosen = self.app if self.wasm is None else self.wasm
        if chosen is None:
            raise ArgumentValueError(_NO_CANISTER)
        return chosen


def _number(name: str, text: str) -> float | int:
    try:
        return int(text) if name in _WHOLE else float(text)
    except ValueError:
        raise ArgumentValueError(f"icws_{name} must be a number, not {text!r}") from None


def _located(name: str, value: Any, base: Path) -> Any:
    if not isinstance(value, (str, Path)) or name not in ("wasm", "app", "did"):
        return value
    if name == "app" and str(value) in APPS:
        return value
    is_text = name == "did" and not str(value).endswith(".did")
    if is_text:
        return value
    if name == "wasm" and not str(value).endswith(WASM_FILES):
        raise ArgumentValueError(f"{value} is not a compiled canister; its name must end in {', '.join(WASM_FILES)}")
    return base / value
