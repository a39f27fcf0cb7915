"""Python values for what Python has no word for: references, and an option inside an option."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..principal import Principal


@dataclass(frozen=True, slots=True)
class Some:
    """A present option whose content may itself be None: ``opt opt T``, ``opt null``, ``opt reserved``."""

    value: Any


@dataclass(frozen=True, slots=True)
class ServiceRef:
    """A reference to a canister at a service type."""

    principal: Principal


@dataclass(frozen=True, slots=True)
class FuncRef:
    """A reference to one public method of a canister."""

    principal: Principal
    method: str
