"""A form for values of a Candid type, generated from the type, with the same value as JSON and Candid text beside it.

::

    form = SendForm("record { text : text; tag : opt nat }", on_send=session.send)
    form                                # the last expression of a cell
    form.value                          # what the form holds, as a Python value

The browser draws the fields (send_form.js) from a `Schema` and sends what is typed, at most a few times a second. What
it means is decided here: form_values.py reads the contents and names the problem of each field, and the texts follow.
A text that is edited is read here too, and the fields follow. One widget draws the whole form, so a form costs two
comms however many fields it has.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import traitlets

from icws_explore.protocol import candid
from icws_explore.protocol.candid import Type
from icws_explore.protocol.candid.text import brief_text
from icws_explore.protocol.errors import DidError, IcwsError, ValueMismatchError
from icws_explore.views.formatting import one_line

from .form_json import json_text, parse_json
from .form_values import Problem, Schema, form_size, from_form, schema_of, start, to_form
from .widget import PanelWidget, script, style
from .worker import Worker

OnSend: TypeAlias = Callable[[Any], Awaitable[Any] | Any]

MAX_FIELDS: Final = 2_000  # of a form; a larger value is edited as text
MAX_REPLIES: Final = 3
MAX_LINE: Final = 300


class SendForm(PanelWidget):
    """A form for a Candid type; its button calls ``on_send`` with the value.

    Arguments:

    - ``type_``: the type, as a `candid.Type` or as text. None: the form asks for it.
    - ``on_send``: called with the value when the button is pressed. May be a coroutine function, such as the ``send``
      of a session; then it runs in the background. An `IcwsError` of it is shown beside the button, in one line.
    - ``value``: what the form begins with. None: empty fields.

    Raises DidError for a type that cannot be read, and ValueMismatchError for a value that does not fit.
    """

    _esm = script("live_parts.js", "send_form.js")
    _css = style()

    nodes: Any = traitlets.List().tag(sync=True)  # of the Schema
    hint = traitlets.Unicode().tag(sync=True)  # the type, shortened
    contents: Any = traitlets.Any().tag(sync=True)  # see form_values
    seen = traitlets.Int().tag(sync=True)  # the browser's number of the edit that `contents` and the texts include
    json = traitlets.Unicode().tag(sync=True)
    candid = traitlets.Unicode().tag(sync=True)
    problems: Any = traitlets.List().tag(sync=True)  # [path, text]
    text_problem: Any = traitlets.List(["", ""]).tag(sync=True)  # ["json" or "candid", text]
    status: Any = traitlets.List(["", ""]).tag(sync=True)  # [tone, text]
    replies: Any = traitlets.List().tag(sync=True)  # [frame number, text], the newest last
    refusal = traitlets.Unicode().tag(sync=True)  # why nothing can be sent now; "" if it can
    is_large = traitlets.Bool(False).tag(sync=True)  # too large for fields
    needs_type = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        type_: Type | str | None = None,
        on_send: OnSend | None = None,
        *,
        value: Any = None,
        on_type: Callable[[Type], Any] | None = None,
        on_select: Callable[[int], Any] | None = None,
        worker: Worker | None = None,
    ) -> None:
        resolved = candid.parse_application_type(type_) if isinstance(type_, str) else type_
        if resolved is not None and value is not None:
            candid.encode([resolved], [value])  # what is wrong is said before anything is open
        super().__init__(worker)
        self.on_send = on_send
        self._on_type = on_type
        self._on_select = on_select
        self._lock = threading.RLock()
        self._schema: Schema | None = None
        self._type: Type | None = None
        self._value: Any = None
        self.show_type(resolved, value)

    # -- what it holds -------------------------------------------------------------------------------

    @property
    def type(self) -> Type | None:
        """The type of the values; None while it is not known."""
        return self._type

    @property
    def value(self) -> Any:
        """The Python value in the form. Raises ValueMismatchError while a field cannot be read."""
        with self._lock:
            if self.problems:
                path, text = self.problems[0]
                raise ValueMismatchError(self._name_of(path), text)
            return self._value

    def show_type(self, type_: Type | str | None, value: Any = None) -> None:
        """Show the form of another type, holding ``value`` or empty fields. Raises DidError, ValueMismatchError."""
        resolved = candid.parse_application_type(type_) if isinstance(type_, str) else type_
        schema = None if resolved is None else schema_of(resolved)
        with self._lock, self.hold_sync():
            self._type, self._schema = resolved, schema
            self.needs_type = schema is None
            self.nodes = [] if schema is None else list(schema.nodes)
            self.hint = "" if resolved is None else brief_text(resolved, 400)
            self.text_problem = ["", ""]
            self.json = self.candid = ""
            self.is_large = False
            if schema is None:
                self.problems, self.contents = [["", "the type of the messages is not known"]], None
            elif value is None:
                self._take_contents(start(schema))
            else:
                self.show_value(value)

    def show_value(self, value: Any) -> None:
        """Put a Python value into the form. Raises ValueMismatchError if it does not fit, StateError without a type."""
        with self._lock:
            if self._type is None or self._schema is None:
                raise ValueMismatchError("", "the type of the messages is not known")
            (plain,) = candid.decode(candid.encode([self._type], [value]), [self._type])  # as decode gives it
            self._take_value(plain)

    # -- what it shows -------------------------------------------------------------------------------

    def say(self, tone: str, text: str) -> None:
        """Show one line beside the button. ``tone`` is "good", "bad", "busy" or ""."""
        with self._lock:
            self.status = [tone, one_line(text)[:MAX_LINE]]

    def show_reply(self, frame: int, text: str) -> None:
        """Add a reply to the few that are shown below the button."""
        with self._lock:
            self.replies = [*self.replies, [frame, one_line(text)[:MAX_LINE]]][-MAX_REPLIES:]

    def close(self) -> None:
        """Close the widget and its layout, and cancel what still runs."""
        if self._own_worker is not None:
            self._own_worker.close()
        layout = self.layout
        super().close()
        if layout is not None:
            layout.close()

    def reveal(self) -> None:
        """Bring the form into sight on the page."""
        self.send({"type": "reveal"})

    @property
    def twin_text(self) -> str:
        return f"A form to send {self.hint or 'a message'}: open the notebook in JupyterLab to fill it in."

    # -- what the browser says -----------------------------------------------------------------------

    def told(self, message: dict[str, Any]) -> None:
        """A message of send_form.js. May come on any thread."""
        with self._lock:
            match message.get("do"):
                case "form":
                    self._edit(message, lambda: self._take_contents(message.get("contents")))
                case "text":
                    self._edit(message, lambda: self._take_text(str(message.get("which")), str(message.get("text"))))
                case "send":
                    self._press()
                case "type":
                    self._take_type(str(message.get("text")))
                case "select" if self._on_select is not None:
                    self._on_select(int(message.get("frame", -1)))

    def _edit(self, message: Mapping[str, Any], take: Callable[[], None]) -> None:
        if self._schema is None:
            return
        with self.hold_sync():
            self.seen = int(message.get("n", 0))
            self.status = ["", ""]
            take()

    def _take_contents(self, contents: Any) -> None:
        """Read the fields; the texts follow if all of them can be read."""
        assert self._schema is not None
        assert self._type is not None
        value, problems = from_form(self._schema, contents)
        if not problems:
            problems = self._misfits(value)
        self.contents = contents
        self.problems = [[problem.path, one_line(problem.text)[:MAX_LINE]] for problem in problems]
        if not problems:
            self._value = value
            self.json, self.candid = json_text(self._type, value), candid.value_text(self._type, value)
            self.text_problem = ["", ""]

    def _misfits(self, value: Any) -> list[Problem]:
        """What only encoding finds, such as values that nest too deep."""
        assert self._type is not None
        try:
            candid.encode([self._type], [value])
        except ValueMismatchError as error:
            return [Problem("", error.reason)]
        return []

    def _take_text(self, which: str, text: str) -> None:
        """Read an edited text; the fields and the other text follow if it can be read."""
        assert self._type is not None
        try:
            value = parse_json(text, self._type) if which == "json" else candid.parse_value(text, self._type)
            candid.encode([self._type], [value])
        except (ValueMismatchError, DidError) as error:
            self.text_problem = [which, one_line(str(error))[:MAX_LINE]]
            return
        if which == "json":
            self.json = text
        else:
            self.candid = text
        self._take_value(value, keep=which)

    def _take_value(self, value: Any, *, keep: str = "") -> None:
        assert self._type is not None
        assert self._schema is not None
        self._value = value
        contents = to_form(self._schema, value)
        self.is_large = form_size(contents) > MAX_FIELDS
        self.contents = None if self.is_large else contents
        self.problems = []
        self.text_problem = ["", ""]
        if keep != "json":
            self.json = json_text(self._type, value)
        if keep != "candid":
            self.candid = candid.value_text(self._type, value)

    def _take_type(self, text: str) -> None:
        try:
            self.show_type(text)
        except IcwsError as error:
            self.say("bad", str(error))
            return
        self.say("", "")
        if self._on_type is not None and self._type is not None:
            self._on_type(self._type)

    # -- sending -------------------------------------------------------------------------------------

    def _press(self) -> None:
        if self.refusal or self.on_send is None:
            self.say("bad", self.refusal or "nothing is connected to this form: pass on_send=")
            return
        if self.text_problem[1]:
            self.say("bad", f"{'JSON' if self.text_problem[0] == 'json' else 'Candid text'}: {self.text_problem[1]}")
            return
        if self.problems:
            path, text = self.problems[0]
            count = "" if len(self.problems) == 1 else f", and {len(self.problems) - 1} more"
            self.say("bad", f"not sent: {self._name_of(path) or 'value'}: {text}{count}")
            return
        try:
            result = self.on_send(self._value)
        except IcwsError as error:
            self.say("bad", str(error))
            return
        if inspect.isawaitable(result):
            self.say("busy", "sending")
            self._worker.start(self._wait(result))
        else:
            self._sent(result)

    async def _wait(self, result: Awaitable[Any]) -> None:
        try:
            self._sent(await result)
        except IcwsError as error:
            self.say("bad", str(error))
        except Exception as error:  # noqa: BLE001  # nobody else would see it
            self.say("bad", f"{type(error).__name__}: {error}")

    def _sent(self, result: Any) -> None:
        """``result`` may be a line that says more."""
        self.say("good", result if isinstance(result, str) else "sent")

    def _name_of(self, path: str) -> str:
        """The names of the fields that lead to ``path``."""
        at, names = 0, []
        contents = self.contents
        for step in path.split("/") if path else ():
            node = self.nodes[at]
            if step == "v":
                label, at = node["parts"][contents["case"]]
                contents = contents["value"]
                names.append(label)
            elif step == "s":
                at, contents = node["inner"], contents["some"]
            elif node["kind"] == "record":
                label, at = node["parts"][int(step)]
                contents = contents[int(step)]
                names.append(label)
            else:
                at, contents = node["inner"], contents[int(step)]
                names.append(step)
        return ".".join(names)
