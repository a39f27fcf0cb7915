"""Coverage-guided fuzzing of every reader, with atheris: ``python -m bench.fuzz --seconds 60 [--reader NAME …]``.

Each reader runs in a process of its own, from its corpus in tests/fuzz/corpus. An input that raises anything but a
documented error, or takes more than a few seconds, is stored in that corpus as crash-… or timeout-…, and the exit code
is 1. With ``--keep``, inputs that reached new code are added, as few as cover it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
MAX_BYTES = 4096
SLOW_S = 5  # seconds for one input; atheris counts lines, which takes ten times as long as the reader alone
COUNT = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


def fuzz_one(name: str, arguments: list[str]) -> None:
    """Run libFuzzer on one reader. It ends the process itself."""
    import atheris

    sys.path.insert(0, str(ROOT / "tests"))
    with atheris.instrument_imports(include=["icws_explore"]):
        from support.fuzz_readers import read_one

    atheris.Setup([sys.argv[0], *arguments], lambda data: read_one(name, data))
    atheris.Fuzz()


def run(name: str, seconds: int, *, keep: bool) -> tuple[str, int, str]:
    """Fuzz one reader for some seconds. Returns its name, the number of inputs, and what was found ("": nothing)."""
    folder = CORPUS / name
    with tempfile.TemporaryDirectory() as found:
        base = [sys.executable, "-m", "bench.fuzz", "--worker", name, "--"]
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={MAX_BYTES}",
            f"-timeout={SLOW_S}",
            f"-artifact_prefix={folder}/",
            "-print_final_stats=1",
        ]
        ran = subprocess.run(
            [*base, *options, found, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if keep and ran.returncode == 0:
            merge = [*base, "-merge=1", f"-max_len={MAX_BYTES}", str(folder), found]
            subprocess.run(merge, cwd=ROOT, check=True, capture_output=True)
    count = COUNT.search(ran.stderr)
    problem = "" if ran.returncode == 0 else "\n".join(ran.stderr.splitlines()[-40:])
    return name, int(count[1]) if count else 0, problem


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=60, help="for each reader")
    parser.add_argument("--reader", action="append", help="only this one; several are possible")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="add inputs that reached new code to the corpus")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        fuzz_one(options.worker, options.rest)
        return 0
    names = options.reader or sorted(path.name for path in CORPUS.iterdir())
    total, bad = 0, 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for name, count, problem in pool.map(lambda name: run(name, options.seconds, keep=options.keep), names):
            total += count
            bad += bool(problem)
            print(f"{name:20} {count:>12,} inputs  {'FAULT' if problem else 'clean'}", flush=True)
            if problem:
                print(problem)
    print(f"{'all':20} {total:>12,} inputs  {bad} with a fault")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
