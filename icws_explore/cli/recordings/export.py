"""`icws export`: recordings in the formats of other tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from icws_explore.analysis import export
from icws_explore.analysis.dataset.write import Wanted
from icws_explore.analysis.fleet.crew import Crew
from icws_explore.capture import Capture
from icws_explore.protocol.credentials import shown_url
from icws_explore.protocol.errors import CaptureError

from ..console import json_line, note
from ..options import crew_options, force, keep_recording, one_session, parse_root_key, read_capture

_WRITERS: Final[dict[str, Callable[..., Path]]] = {
    "har": export.to_har,
    "csv": export.to_csv,
    "parquet": export.to_parquet,
}
_SUFFIXES: Final = {"har": ".har", "csv": ".csv", "parquet": ".parquet", "otlp": ".otlp.jsonl"}
_ADDRESSES: Final = ("http://", "https://")


@click.command(
    "export",
    epilog="""\b
Examples:
  icws export session.icws --to har
  icws export session.icws --to csv -o frames.csv --redact
  icws export *.icws --to parquet -o tables/
  icws export recordings/ --to parquet -o dataset/      # again: only what is new or has changed
  icws export session.icws --to otlp -o http://127.0.0.1:4318/v1/traces

\b
har      as Chrome writes it: its network panel, mitmproxy and other tools open it
csv      a line a frame; application messages are JSON text
parquet  the same with the bytes of each frame; needs pip install "icws_explore[parquet]"
otlp     spans for OpenTelemetry, named as the gateway's own tracing names them, in a file of OTLP JSON lines or
         sent to a collector; needs pip install "icws_explore[otlp]"

Of several files, -o names a folder. A folder of recordings becomes a dataset: tables of frames (by day), sessions,
findings, acks and keep-alives, which icws analyze and icws.load_dataset read.

Credentials in URLs are left out always; --redact shows of each application
message only type and size, and leaves out what else may be private. Principals stay.
""",
)
@click.argument("files", metavar="FILE|DIR...", type=click.Path(), nargs=-1, required=True)
@click.option("--to", "wanted", type=click.Choice(list(_SUFFIXES)), required=True, help="The format.")
@click.option("-o", "--output", metavar="OUT", help="A file, a folder, or a collector's address. Default: beside FILE.")
@click.option("--session", metavar="NAME", help="Only this session.")
@click.option("--redact", is_flag=True, help="Leave out messages, bytes, foreign words and secrets in URLs.")
@click.option("--root-key", metavar="HEX|mainnet", help="Verify the proofs of a DIR with this root key (DER).")
@crew_options
@force
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file.")
def command(
    files: tuple[str, ...],
    wanted: str,
    output: str | None,
    session: str | None,
    redact: bool,
    root_key: str | None,
    workers: int | None,
    scheduler: str | None,
    force: bool,
    as_json: bool,
) -> int:
    """Write each FILE, a recording, in a format that other tools read, or a DIR of recordings as a dataset."""
    if any(Path(file).is_dir() for file in files):
        if wanted != "parquet" or session is not None:
            raise click.UsageError("a folder is written with --to parquet alone, and in whole: name its files")
        from .dataset import export_dataset

        question = Wanted(None if root_key is None else parse_root_key(root_key), redact=redact)
        return export_dataset(files, output, question, Crew(workers, scheduler), as_json=as_json)
    if root_key is not None or workers is not None or scheduler is not None:
        raise click.UsageError("--root-key, --workers and --scheduler go with a folder")
    is_address = output is not None and output.startswith(_ADDRESSES)
    if is_address and wanted != "otlp":
        raise click.UsageError("only --to otlp sends to an address: name a file")
    for file in files:
        target = output if is_address and output is not None else str(_target(file, output, wanted, len(files)))
        if not is_address:
            keep_recording(target, forced=force)
        capture = one_session(read_capture(file), file, session)
        loss = _write(capture, target, wanted, redact=redact)
        shown = shown_url(target) if is_address else target
        if as_json:
            json_line({"file": file, "output": shown, "frames": len(capture), "loss": loss})
        else:
            click.echo(f"{'sent to' if is_address else 'written'} {shown}")
            if loss:
                note(loss)
    return 0


def _target(file: str, output: str | None, wanted: str, files: int) -> Path:
    """Where to write. Raises CaptureError for the recording itself, and for several files in one."""
    beside = Path(file.removesuffix(".gz"))
    name = beside.stem + _SUFFIXES[wanted]
    if output is None:
        target = beside.with_name(name)
    elif Path(output).is_dir() or output.endswith("/"):
        Path(output).mkdir(parents=True, exist_ok=True)
        target = Path(output) / name
    elif files > 1:
        raise CaptureError(f"{output} is no folder: with several recordings, -o names a folder (with a / at its end)")
    else:
        target = Path(output)
    if target.resolve() == Path(file).resolve():
        raise CaptureError(f"{target} is the recording: write to another file")
    return target


def _write(capture: Capture, target: str, wanted: str, *, redact: bool) -> str:
    """Write or send it. Returns what the format does not hold, in one line."""
    if wanted == "otlp":
        from icws_explore.analysis.spans import resource, spans

        from .otlp import send_spans, write_spans

        kept, _ = export.exported(capture, redact=redact)
        made, about = spans(capture, redact=redact), resource(kept)
        if target.startswith(_ADDRESSES):
            send_spans(made, about, target)
        else:
            write_spans(made, about, target)
        return ""
    _WRITERS[wanted](capture, target, redact=redact)
    if wanted != "har":
        return ""
    from icws_explore.capture.har_writer import har_loss

    return har_loss(capture)
