"""`Canister`: the methods of a canister, called from Python beside a session."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from icws_explore.protocol import candid
from icws_explore.protocol.candid import DidFile, Func
from icws_explore.protocol.candid.text import brief_text, printable
from icws_explore.protocol.errors import (
    ArgumentValueError,
    CallRejectedError,
    DidError,
    StateError,
    ValueMismatchError,
    count_of,
)
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.type_checks import checked

from ..clock import Clock
from ..http import Network
from ..session import Session
from ..target import caller_identity, check_root_key, is_agent, network_of, read_did
from .calls import CALL_VERSIONS, QUERY_VERSIONS, Answer, Caller

_INTERFACE_QUERY: Final = "__get_candid_interface_tmp_hack"  # of older Motoko canisters and the Rust CDK's examples
_INTERFACE: Final = "candid:service"
_MAX_SHOWN: Final = 8  # methods in an error text
_MAX_SIGNATURE: Final = 300  # characters
_NOT_READ: Final = "its interface has not been read: write canister = await icws.Canister(…), or pass did="


class Canister:
    """A canister whose methods are called by name, with Python values.

    ::

        canister = await icws.Canister(session)          # the session's canister, under the session's identity
        await canister.get_history(10)                   # a query or an update, as its .did says
        await canister["get_history"](10)                # for a name that Python does not allow
        icws.Canister("https://icp-api.io", "bnz7o-iuaaa-aaaaa-qaaaa-cai", "my.did", "me.pem")

    ``await canister`` reads the interface and returns the canister. Then its methods are attributes, and tab completes
    their names. With ``did``, and for a lab, the interface is known at once. ``async with`` reads it too, and keeps one
    HTTP connection for all calls.

    Arguments and results are Python values of their Candid types, as for `candid.encode`. A method with one result
    returns it, with none it returns None, with several a tuple.

    What a call returns is authentic. The outcome of an update is read from a certificate, under the network's root
    key. The answer to a query must be signed by a node of the canister's subnet; a single node that lies can still give
    a wrong answer, so call what matters as an update: ``canister.get_history.update(10)``. ``canister.last`` is the
    `Answer` to the last call, with the steps of its check.

    Arguments:

    - ``network``: the network's URL or name ("local", "mainnet", or one of ``icws.toml``), an Agent of ic-py, or a
      `Session` or a `Lab`, which give the other arguments their values.
    - ``canister_id``: the canister's id. None: that of the session or the lab.
    - ``did``: its interface: the path of a .did file or its text. None: it is read from the canister's public metadata
      (``candid:service``) or, failing that, with the query ``__get_candid_interface_tmp_hack``.
    - ``identity``: signs the calls; in the forms that `connect` takes. None: the session's or the Agent's, otherwise
      the anonymous one.
    - ``root_key``: the network's root key (DER). None: mainnet's is built in, another network's is in its status.
    - ``clock``: the clock of protocol time. None: that of the session or the lab, otherwise the machine's.
    - ``call_version``: the version of the call endpoint, 2, 3 or 4. None: the newest that the network has.
    - ``query_version``: that of the query endpoint, 2 or 3. None: the newest that the network has.
    - ``verify_queries``: False accepts answers to queries without a check, for replicas that do not sign them.

    Raises ArgumentTypeError, ArgumentValueError, IdentityError, DidError or PrincipalError for an argument. A call
    raises ValueMismatchError for a value that does not fit, CallRejectedError if the canister or the network rejects
    it, VerificationError if the answer is not authentic, CandidError if the reply is not of the declared type, and
    ConnectError if the network cannot be reached.
    """

    @checked(skip=("network", "canister_id", "identity"))
    def __init__(
        self,
        network: str | Any,
        canister_id: Principal | str | bytes | None = None,
        did: DidFile | str | os.PathLike[str] | None = None,
        identity: Identity | str | os.PathLike[str] | Any | None = None,
        *,
        root_key: bytes | None = None,
        clock: Clock | None = None,
        call_version: int | None = None,
        query_version: int | None = None,
        verify_queries: bool = True,
    ) -> None:
        where = _Where(network)
        canister_id = canister_id or where.canister_id
        if canister_id is None:
            raise ArgumentValueError("no canister: pass its id as canister_id")
        _check_version("call_version", call_version, CALL_VERSIONS)
        _check_version("query_version", query_version, QUERY_VERSIONS)
        root_key = root_key or where.root_key
        if root_key is not None:
            check_root_key(root_key)
        self.canister_id = Principal.of(canister_id)
        self.last: Answer | None = None
        signer = where.identity if identity is None else identity
        self._url = where.url  # not shown: it may hold a password
        self._network = Network(self._url, identity=caller_identity(signer), clock=clock or where.clock)
        self._is_kept_open = False
        self._root_key = root_key
        self._did = _did_file(did if did is not None or canister_id != where.canister_id else where.did)
        self._options = {
            "call_version": call_version,
            "query_version": query_version,
            "verify_queries": verify_queries,
        }
        self._caller: Caller | None = None

    # Its interface

    @property
    def principal(self) -> Principal:
        """The principal that signs the calls."""
        return self._network.identity.principal

    @property
    def methods(self) -> dict[str, Func]:
        """The types of the methods by name. Raises StateError before the interface is known."""
        if self._did is None:
            raise StateError(_NOT_READ)
        return self._did.methods

    def __await__(self) -> Generator[Any, None, Self]:
        return self._ready().__await__()

    async def _ready(self) -> Self:
        """Read the interface, if it is not known."""
        if self._did is None:
            async with self._opened() as network:
                await self._read_interface(network)
        return self

    async def _read_interface(self, network: Network) -> None:
        caller = await self._ask(network)
        text = await caller.read_metadata(network, _INTERFACE)
        if text is None:
            text = await self._ask_for_interface(network, caller)
        try:
            self._did = candid.parse_did(text.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise DidError(f"the interface that {self.canister_id} publishes is not text: pass did=") from error

    async def _ask_for_interface(self, network: Network, caller: Caller) -> bytes:
        try:
            answer = await caller.query(network, _INTERFACE_QUERY, candid.encode([], []))
        except CallRejectedError as error:
            raise DidError(
                f"canister {self.canister_id} publishes no interface ({error.reason[:200]}): pass its .did file as did="
            ) from error
        (text,) = candid.decode(answer.reply, [candid.TEXT])
        return str(text).encode()

    # Its methods

    def __getattr__(self, name: str) -> Method:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._did is None:
            raise AttributeError(_NOT_READ, name=name, obj=self)
        if name not in self._did.methods:
            raise AttributeError(self._no_method(name), name=name, obj=self)
        return Method(self, name)

    def __getitem__(self, name: str) -> Method:
        if self._did is not None and name not in self._did.methods:
            raise KeyError(self._no_method(name))
        return Method(self, name)

    def __dir__(self) -> list[str]:
        names = [] if self._did is None else [name for name in self._did.methods if name.isidentifier()]
        return sorted({*object.__dir__(self), *names})

    def _ipython_key_completions_(self) -> list[str]:
        return [] if self._did is None else list(self._did.methods)

    def __repr__(self) -> str:
        if self._did is None:
            known = "its interface is not read yet"
        else:
            known = "\n".join(f"  {printable(name)} : {_signature(type_)}" for name, type_ in self._did.methods.items())
        return f"<Canister {self.canister_id} on {self._network.url} as {self.principal.short}>\n{known}"

    def _no_method(self, name: str) -> str:
        known = list(self.methods)
        more = ", …" if len(known) > _MAX_SHOWN else ""
        listed = ", ".join(map(printable, known[:_MAX_SHOWN])) + more if known else "none"
        return f"canister {self.canister_id} has no method {name!r} (its methods: {listed})"

    # Calls

    async def call(self, name: str, args: tuple[Any, ...], *, as_update: bool = False) -> Any:
        """Call the method ``name`` with ``args`` and return its result. ``as_update`` calls a query as an update.

        Raises StateError if there is no such method, and what the class says.
        """
        async with self._opened() as network:
            if self._did is None:
                await self._read_interface(network)
            type_ = self.methods.get(name)
            if type_ is None:
                raise StateError(self._no_method(name))
            if len(args) != len(type_.args):
                wanted = count_of(len(type_.args), "argument")
                raise ValueMismatchError(printable(name), f"takes {wanted}, not {len(args)}: {_signature(type_)}")
            encoded = candid.encode(list(type_.args), list(args))
            caller = await self._ask(network)
            send = caller.query if type_.is_query and not as_update else caller.update
            if "oneway" in type_.annotations:
                raise StateError(f"{name} is oneway: it has no outcome to wait for")
            self.last = await send(network, name, encoded)
        results = candid.decode(self.last.reply, list(type_.results))
        return None if not results else results[0] if len(results) == 1 else tuple(results)

    async def _ask(self, network: Network) -> Caller:
        if self._caller is None:
            root_key = self._root_key or await network.root_key()
            self._caller = Caller(self.canister_id, root_key, **self._options)  # type: ignore[arg-type]
        return self._caller

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Network]:
        """The network for one call, or the one that is kept open."""
        if self._is_kept_open:
            yield self._network
            return
        async with Network(self._url, identity=self._network.identity, clock=self._network.clock) as network:
            yield network

    async def __aenter__(self) -> Self:
        await self._network.__aenter__()
        self._is_kept_open = True
        return await self._ready()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_kept_open = False
        await self._network.__aexit__(kind, error, trace)


class Method:
    """A method of a `Canister`. Call it with Python values and await the result."""

    def __init__(self, canister: Canister, name: str) -> None:
        self._canister = canister
        self.name = name
        self.__name__ = name
        self.__doc__ = repr(self)

    async def __call__(self, *args: Any) -> Any:
        """Call it as its interface says, as a query or as an update."""
        return await self._canister.call(self.name, args)

    async def update(self, *args: Any) -> Any:
        """Call it as an update, also if it is a query: all nodes of the subnet must agree about the answer."""
        return await self._canister.call(self.name, args, as_update=True)

    def __repr__(self) -> str:
        try:
            return f"{printable(self.name)} : {_signature(self._canister.methods[self.name])}"
        except StateError:
            return f"{printable(self.name)}: the canister's interface is not read yet"


class _Where:
    """What the first argument of a `Canister` says: a URL, an Agent of ic-py, a session or a lab."""

    def __init__(self, source: Any) -> None:
        self.canister_id: Principal | None = None
        self.did: str | None = None
        self.identity: Any = None
        self.root_key: bytes | None = None
        self.clock: Clock | None = None
        if isinstance(source, Session):
            self.url = self._of_session(source)
        elif is_agent(source):
            self.url, self.identity = network_of(source).url, source.identity
        elif not isinstance(source, str) and hasattr(source, "network_url"):  # an Endpoint, such as a Lab
            self.url, self.canister_id, self.root_key = source.network_url, source.canister_id, source.root_key
            self.did, self.clock = source.app_did, source.clock
        else:
            profile = network_of(source)
            self.url, self.root_key, self.canister_id = profile.url, profile.root_key, profile.canister

    def _of_session(self, session: Session) -> str:
        target = session.target
        if target is None or target.network_url is None:
            raise ArgumentValueError("this session has no network: pass the network's URL in place of the session")
        self.canister_id, self.root_key = target.canister_id, target.root_key
        self.identity, self.clock = target.identity, target.clock
        return target.network_url


def _check_version(name: str, version: int | None, known: tuple[int, ...]) -> None:
    if version is not None and version not in known:
        listed = ", ".join(str(each) for each in sorted(known))
        raise ArgumentValueError(f"{name} is one of {listed}, not {version}")


def _did_file(did: DidFile | str | os.PathLike[str] | None) -> DidFile | None:
    if did is None or isinstance(did, DidFile):
        return did
    if isinstance(did, os.PathLike) or ("\n" not in did and did.endswith(".did")):
        read = read_did(Path(did))
    else:
        read = candid.parse_did(did)
    if not read.has_service:
        raise DidError("the .did has no service, only types; a canister's methods are in `service : { … }`")
    return read


def _signature(type_: Func) -> str:
    return brief_text(type_, _MAX_SIGNATURE).removeprefix("func ")
