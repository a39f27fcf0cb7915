"""What is public in icws_explore, found from the front door: names, modules, and the types that they return.

Nothing here knows where a module lives. `icws_explore.__all__` names what is public, a public module's own
``__all__`` names what it exports, and return annotations lead to the classes that a user gets without naming them.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import importlib
import inspect
import pkgutil
import re
import sys
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

PACKAGE: Final = "icws_explore"
# Special methods that hand out an object of the package: `recording[3]`, `await connect(…)`.
_SPECIAL: Final = ("__getitem__", "__iter__", "__aiter__", "__await__", "__aenter__", "__enter__")


@dataclass(frozen=True, slots=True)
class Public:
    """A public name: ``path`` is where a user finds it, as icws_explore.plots.timeline."""

    path: str
    value: Any

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def module(self) -> str:
        return self.path.rpartition(".")[0]

    @property
    def is_module(self) -> bool:
        return isinstance(self.value, ModuleType)

    @property
    def room(self) -> str:
        """The folder of the package that it comes from: protocol, live, …"""
        home = self.value.__name__ if self.is_module else getattr(self.value, "__module__", self.module)
        return room_of(str(home))


def room_of(module: str) -> str:
    """The folder of the package that holds a module: live for icws_explore.live.tap."""
    return module.split(".")[1] if "." in module else ""


def exports(module: ModuleType) -> list[Public]:
    """What ``module`` exports: its ``__all__``, or the functions and classes that it defines."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [name for name, value in vars(module).items() if not name.startswith("_") and _defines(module, value)]
    return [Public(f"{module.__name__}.{name}", getattr(module, name)) for name in sorted(names)]


def _defines(module: ModuleType, value: object) -> bool:
    return getattr(value, "__module__", None) == module.__name__ and (
        inspect.isclass(value) or inspect.isfunction(value)
    )


def front_door() -> list[Public]:
    """The names of `icws_explore.__all__`."""
    return exports(importlib.import_module(PACKAGE))


def public_modules() -> dict[str, ModuleType]:
    """Every public module with an API of its own, by the name that a user imports it under.

    These are the front door, the modules that it exports, the modules that those export, and
    icws_explore.protocol when it exports something.
    """
    found = {PACKAGE: importlib.import_module(PACKAGE)}
    protocol = importlib.import_module(f"{PACKAGE}.protocol")
    if getattr(protocol, "__all__", None):
        found[protocol.__name__] = protocol
    queue = list(found.items())
    while queue:
        path, module = queue.pop(0)  # the front door first: its names are the shortest
        for public in exports(module):
            if public.is_module and public.value not in found.values():
                name = f"{path}.{public.name}"
                found[name] = public.value
                queue.append((name, public.value))
    return dict(sorted(found.items()))


def public_names() -> list[Public]:
    """Every public name, those of `icws_explore` itself first; an object may have several names."""
    return [
        Public(f"{path}.{public.name}", public.value)
        for path, module in public_modules().items()
        for public in exports(module)
    ]


def home_of() -> dict[int, Public]:
    """For each public object (by its id) the name under which it is described: the shortest, the front door first."""
    homes: dict[int, Public] = {}
    for public in sorted(public_names(), key=lambda public: public.path.count(".")):
        if not _is_constant(public.value):
            homes.setdefault(id(public.value), public)
    return homes


def _is_constant(value: object) -> bool:
    return not (inspect.isclass(value) or inspect.isroutine(value) or isinstance(value, ModuleType))


# -- types that public names take and return ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a type expression: ``text`` is the expression as its module writes it."""

    module: str
    name: str
    text: str

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"

    @property
    def room(self) -> str:
        return room_of(self.module)


def alias_of(public: Public) -> Alias | None:
    """The type alias that a public name is; None for anything else."""
    found = (alias for alias in _alias_definitions() if alias.name == public.name)
    return next((alias for alias in found if getattr(modules()[alias.module], alias.name) is public.value), None)


def neighbours(publics: list[Public]) -> tuple[list[type], list[Alias]]:
    """The package's classes and type aliases that are not public but that a user of ``publics`` meets.

    These are what they take, what they return, and what that returns in turn.
    """
    homes = home_of()
    types: dict[int, type] = {}
    met: dict[str, Alias] = {}
    queue = [(_module_of(public.value), [*_returns(public.value), *_takes(public.value)]) for public in publics]
    while queue:
        module, annotations = queue.pop(0)
        for word in re.findall(r"[A-Za-z_][\w.]*", " ".join(annotations)):
            alias, kind = aliases().get(word), name_in(module, word)
            if alias is not None and word not in met:
                met[word] = alias
                queue.append((modules()[alias.module], [alias.text]))
            elif _is_ours(kind) and id(kind) not in types and id(kind) not in homes:
                types[id(kind)] = kind
                queue.append((_module_of(kind), list(_returns(kind))))
    return list(types.values()), list(met.values())


def _is_ours(value: Any) -> bool:
    return inspect.isclass(value) and value.__module__.startswith(PACKAGE) and not value.__name__.startswith("_")


def _module_of(value: Any) -> ModuleType:
    return sys.modules.get(getattr(value, "__module__", None) or "", builtins)


@cache
def aliases() -> dict[str, Alias]:
    """Every public type alias of the package by its name; none that two modules define differently."""
    found: dict[str, Alias] = {}
    ambiguous = {alias.name for alias in _alias_definitions() if found.setdefault(alias.name, alias).text != alias.text}
    return {name: alias for name, alias in found.items() if name not in ambiguous}


@cache
def _alias_definitions() -> list[Alias]:
    found: list[Alias] = []
    for path, module in modules().items():
        for node in _tree_of(module).body:
            if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
                continue
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and _is_type_expression(target.id, getattr(module, target.id, None)):
                found.append(Alias(path, target.id, ast.unparse(node.value)))
    return found


def _is_type_expression(name: str, value: object) -> bool:
    return bool(re.match(r"[A-Z]+[a-z]", name)) and not inspect.isclass(value) and typing.get_origin(value) is not None


@cache
def modules() -> dict[str, ModuleType]:
    """Every module of the package, by its dotted path."""
    root = importlib.import_module(PACKAGE)
    paths = [info.name for info in pkgutil.walk_packages(root.__path__, f"{PACKAGE}.")]
    return {path: importlib.import_module(path) for path in paths if not path.endswith(".__main__")}


def _takes(value: Any) -> Iterator[str]:
    """The annotations of the arguments of a function, or of a class's constructor and public methods."""
    functions = [value]
    if inspect.isclass(value):
        functions = [member for name, member in vars(value).items() if name == "__init__" or not name.startswith("_")]
    for function in filter(None, map(function_of, functions)):
        yield from (str(annotation) for name, annotation in function.__annotations__.items() if name != "return")


def _returns(value: Any) -> Iterator[str]:
    """The annotations of what comes out of ``value``: returns, fields, what a collection holds."""
    if inspect.isfunction(value):
        yield str(value.__annotations__.get("return", ""))
    elif inspect.isclass(value):
        for name, member in vars(value).items():
            function = function_of(member)
            if function is not None and (not name.startswith("_") or name in _SPECIAL):
                yield str(function.__annotations__.get("return", ""))
        annotated = vars(value).get("__annotations__", {})
        yield from (str(kind) for name, kind in annotated.items() if not name.startswith("_"))
        yield from _attributes(value)
        if dataclasses.is_dataclass(value):  # the inherited fields, too
            yield from (str(field.type) for field in dataclasses.fields(value) if not field.name.startswith("_"))
        yield from (str(base) for base in getattr(value, "__orig_bases__", ()))


def _attributes(kind: type) -> Iterator[str]:
    """The annotations of the attributes that a constructor sets: ``self.certified: CertifiedMap = …``."""
    for node in _tree_of(_module_of(kind)).body:
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
            yield from (
                ast.unparse(inner.annotation)
                for inner in ast.walk(node)
                if isinstance(inner, ast.AnnAssign)
                and isinstance(inner.target, ast.Attribute)
                and not inner.target.attr.startswith("_")
            )


def function_of(member: Any) -> Any:
    """The function behind a method, a property or a class method; None for anything else."""
    for attribute in ("fget", "__func__", "func"):
        member = getattr(member, attribute, member)
    return inspect.unwrap(member) if inspect.isfunction(member) else None


# -- names as a module's author wrote them -------------------------------------------------------------


def name_in(module: ModuleType, dotted: str) -> Any:
    """What ``dotted`` means inside ``module``, imports for types included; None when it means nothing there."""
    head, *rest = dotted.split(".")
    if hasattr(module, head):
        value = getattr(module, head)
    elif head in _typing_imports(module):
        value = imported(_typing_imports(module)[head])
    else:
        value = getattr(builtins, head, None)
    for part in rest:
        value = getattr(value, part, None)
    return value if head and value is not None else imported(dotted)


@cache
def _typing_imports(module: ModuleType) -> dict[str, str]:
    """Names that ``module`` imports only for type checkers, or inside functions, and what they stand for."""
    names: dict[str, str] = {}
    package = (module.__package__ or "").split(".")
    for node in ast.walk(_tree_of(module)):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            names |= {alias.asname or alias.name: f"{source}.{alias.name}" for alias in node.names}
    return names


@cache
def _tree_of(module: ModuleType) -> ast.Module:
    file = getattr(module, "__file__", None)
    return ast.parse(Path(file).read_text(encoding="utf-8") if file and file.endswith(".py") else "")


@cache
def imported(path: str) -> Any:
    """The module or the object at a dotted path; None when there is none."""
    module, rest = path, list[str]()
    while module:
        try:
            value: Any = importlib.import_module(module)
        except ImportError:
            module, _, tail = module.rpartition(".")
            rest.insert(0, tail)
            continue
        for part in rest:
            value = getattr(value, part, None)
        return value
    return None
