"""The API reference: directives that describe the public names, and a check that none is missing.

=====================  ==========================================================================
``api-overview``       a table of every name of `icws_explore.__all__`, with its first sentence
``api-names ROOM …``   the front door's functions and classes that come from these rooms
``api-module MODULE``  what a public module exports
``api-types ROOM …``   classes from these rooms that public names take or return
``api-errors``         the tree of errors, and each of them; describes the public module that holds only errors
=====================  ==========================================================================

Docstrings are reStructuredText. A name in single backticks is a reference; it must mean something in the
module that the docstring stands in, or the build fails. It becomes a link if the reference describes it.
"""

from __future__ import annotations

import inspect
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, Final

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import TypeAliasForwardRef
from sphinx.util.nodes import make_refnode

from . import public_api
from .public_api import PACKAGE, Alias, Public

logger = logging.getLogger(__name__)

_NAME: Final = re.compile(r"[\w.]+")


class _Api(SphinxDirective, ABC):
    """A directive that stands for reStructuredText, whatever the page around it is written in."""

    has_content = False
    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        lines = ["```{eval-rst}", ".. default-role:: py:obj", "", *self.lines(), "```"]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=False)

    @abstractmethod
    def lines(self) -> Iterator[str]:
        """The reStructuredText of the directive."""

    @property
    def words(self) -> list[str]:
        return self.arguments[0].split() if self.arguments else []


class Overview(_Api):
    def lines(self) -> Iterator[str]:
        yield from (".. list-table::", "   :widths: 30 70", "   :class: api-overview", "")
        homes = public_api.home_of()
        for public in public_api.front_door():
            target = f":py:obj:`icws.{public.name} <{_home(public, homes).path}>`"
            if public.is_module:
                target = f":py:mod:`icws.{public.name} <{public.path}>`"
            yield f"   * - {target}"
            yield f"     - {first_sentence(public.value)}"
        yield ""


class Names(_Api):
    def lines(self) -> Iterator[str]:
        # Functions come first, as `connect` and `load` are what a reader looks for.
        for public in sorted(public_api.front_door(), key=lambda public: (public.name[0].isupper(), public.name)):
            if public.room in self.words and not public.is_module and not _is_error(public.value):
                yield from _described(public)


class Module(_Api):
    def lines(self) -> Iterator[str]:
        (path,) = self.words
        module = public_api.imported(path)
        if not isinstance(module, ModuleType):
            raise self.error(f"there is no module {path}")
        yield from (f".. py:module:: {path}", "")
        yield from (*(inspect.getdoc(module) or "").splitlines(), "")
        homes = public_api.home_of()
        elsewhere: list[str] = []
        for public in public_api.exports(module):
            here = Public(f"{path}.{public.name}", public.value)
            home = _home(here, homes)
            if home.path != here.path and home.module != module.__name__:
                elsewhere.append(f":py:obj:`{public.name} <{home.path}>`")
            elif not here.is_module and not _is_error(here.value):
                yield from _described(here)
        if elsewhere:
            yield from (f"Also here: {', '.join(elsewhere)}.", "")
        yield from (f".. py:currentmodule:: {PACKAGE}", "")


class Types(_Api):
    def lines(self) -> Iterator[str]:
        publics = public_api.public_names()
        types, aliases = public_api.neighbours(publics)
        exported = [public_api.alias_of(public) for public in publics]
        for kind in sorted(types, key=lambda kind: kind.__name__):
            if kind.__module__.split(".")[1] in self.words and not _is_error(kind):
                yield from _described(Public(f"{kind.__module__}.{kind.__qualname__}", kind))
        for alias in sorted(aliases, key=lambda alias: alias.name):
            if alias.room in self.words and alias not in exported:
                yield from _alias(alias)
        yield from (f".. py:currentmodule:: {PACKAGE}", "")


class Errors(_Api):
    def lines(self) -> Iterator[str]:
        homes = public_api.home_of()
        base = public_api.imported(PACKAGE).IcwsError
        for public in public_api.front_door():
            if public.is_module and all(_is_error(export.value) for export in public_api.exports(public.value)):
                yield from (f".. py:module:: {public.path}", "")
        yield from ("::", "", *(f"   {line}" for line in _tree(base)), "")
        for error in _errors(base):
            path = f"{error.__module__}.{error.__qualname__}"
            yield from _described(_home(Public(path, error), homes))


def _tree(error: type[BaseException], prefix: str = "", branch: str = "") -> Iterator[str]:
    bases = [base.__name__ for base in error.__bases__ if not _is_error(base) and base is not Exception]
    yield prefix + branch + error.__name__ + (f" (also a {', '.join(bases)})" if bases else "")
    children = _subclasses(error)
    indent = prefix + {"": "", "├── ": "│   ", "└── ": "    "}[branch]
    for child in children:
        yield from _tree(child, indent, "└── " if child is children[-1] else "├── ")


def _errors(base: type[BaseException]) -> Iterator[type[BaseException]]:
    yield base
    for child in _subclasses(base):
        yield from _errors(child)


def _subclasses(error: type[BaseException]) -> list[type[BaseException]]:
    """Those that stand in the module of the errors; a class that a module keeps to itself is no API."""
    return [kind for kind in error.__subclasses__() if kind.__module__ == error.__module__]


def _is_error(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, public_api.imported(PACKAGE).IcwsError)


def _home(public: Public, homes: dict[int, Public]) -> Public:
    return homes.get(id(public.value), public)


def _described(public: Public) -> Iterator[str]:
    value, alias = public.value, public_api.alias_of(public)
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, BaseException) else "class"
        foreign = [base.__name__ for base in value.__mro__ if not base.__module__.startswith(PACKAGE)]
        yield from (f".. auto{kind}:: {public.path}", "   :members:", "   :undoc-members:")
        yield from (f"   :inherited-members: {', '.join(foreign)}", "")
    elif inspect.isroutine(value):
        yield from (f".. autofunction:: {public.path}", "")
    elif alias is not None:
        yield from _alias(alias)
    else:
        yield from (f".. py:data:: {public.name}", f"   :module: {public.module}")
        yield from (f"   :type: {type(value).__name__}", "")
        yield from (f"   ``{value}``", "")


def _alias(alias: Alias) -> Iterator[str]:
    yield from (f".. py:currentmodule:: {alias.module}", "")
    yield from (f".. py:type:: {alias.name}", f"   :canonical: {alias.text}", "")


def first_sentence(value: Any) -> str:
    """The docstring's first sentence, for a table."""
    text = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split()).removesuffix("::")
    sentence = re.match(r"(?:``.*?``|`.*?`|[^`])*?\.(?= |$)", text)  # a full stop in code ends nothing
    return text if sentence is None else sentence[0]


def skip_foreign(_app: Sphinx, _kind: str, _name: str, member: Any, skip: bool, _options: Any) -> bool | None:
    """Leave out what a library put into a class of the package, as matplotlib does with ``set``."""
    function = public_api.function_of(member)
    if function is not None and not function.__module__.startswith(PACKAGE):
        return True
    return skip or None


# -- references --------------------------------------------------------------------------------------


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement) -> nodes.Node | None:
    """A reference that is no documented name as it stands: find the object that is meant, and link its description.

    What exists but is not described stays plain text. What does not exist is left to Sphinx, which warns.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    if " " in target or target == "icws":
        return content  # a command or an expression
    domain = env.domains.python_domain
    if target in public_api.aliases():
        target = public_api.aliases()[target].path
        if target in domain.objects:
            entry = domain.objects[target]
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, [content], target)
        return content
    dotted = _NAME.match(target)
    value = None if dotted is None else _meant(node, dotted[0]) or _only(domain.objects, dotted[0])
    if value is None:
        return None
    for name in _names(value):
        if name in domain.objects:
            entry = domain.objects[name]
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, [content], name)
    return content


def _meant(node: pending_xref, target: str) -> Any:
    """The object that ``target`` means where it stands: in its class, its module, or anywhere by its full path."""
    owner = public_api.imported(".".join(filter(None, (node.get("py:module"), node.get("py:class")))))
    owners = owner.__mro__ if inspect.isclass(owner) else (owner,)
    for scope in (*owners, public_api.imported(PACKAGE)):
        value = _attribute(scope, target)
        if value is not None:
            return value
        module = sys.modules.get(getattr(scope, "__module__", "") or getattr(scope, "__name__", ""))
        if module is not None and (value := public_api.name_in(module, target)) is not None:
            return value
        folder = getattr(module, "__package__", None)
        if folder and (value := public_api.imported(f"{folder}.{target}")) is not None:
            return value
    return public_api.imported(f"{PACKAGE}.{target}")


def _only(described: Iterable[str], name: str) -> Any:
    """The one described object of that name, wherever it is."""
    found = [path for path in described if path.endswith(f".{name}")]
    return public_api.imported(found[0]) if len(found) == 1 else None


def _attribute(scope: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        scope = getattr(scope, part, None)
    return scope


def _names(value: Any) -> Iterator[str]:
    """The names under which the reference may describe ``value``."""
    home = public_api.home_of().get(id(value))
    if home is not None:
        yield home.path
    if isinstance(value, ModuleType):
        yield value.__name__
    elif hasattr(value, "__qualname__") and hasattr(value, "__module__"):
        yield f"{value.__module__}.{value.__qualname__}"


# -- nothing is missing ------------------------------------------------------------------------------


def missing(described: Iterable[str]) -> list[str]:
    """The public names that are in ``described`` under none of their names."""
    known = set(described)
    homes = public_api.home_of()

    def names(public: Public) -> set[str]:
        alias = public_api.alias_of(public)
        found = {public.path, _home(public, homes).path, *_names(public.value)}
        return found if alias is None else found | {alias.path}

    publics = [public for public in public_api.public_names() if not public.is_module]
    return [public.path for public in publics if not names(public) & known]


def check_complete(_app: Sphinx, env: BuildEnvironment) -> None:
    """Warn (and so fail the build) for each public name that no page describes."""
    objects = env.domains.python_domain.objects
    for path in missing(objects):
        logger.warning("%s is public, but no page of docs/api describes it", path)
    for path in public_api.public_modules():
        if path != PACKAGE and path not in objects:
            logger.warning("%s is a public module: give it an {api-module} in docs/api", path)


def keep_aliases(_app: Sphinx, config: Config) -> None:
    """Let signatures name a type alias, where they would else spell it out."""
    config.autodoc_type_aliases = {name: name for name in public_api.aliases()}
    # In a union Sphinx 9.0 writes what stands for an alias by its repr.
    TypeAliasForwardRef.__repr__ = lambda self: self.name  # type: ignore[method-assign]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", keep_aliases)
    for name, directive in (
        ("api-overview", Overview),
        ("api-names", Names),
        ("api-module", Module),
        ("api-types", Types),
        ("api-errors", Errors),
    ):
        app.add_directive(name, directive)
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("missing-reference", resolve)
    app.connect("env-check-consistency", check_complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
