"""Exit codes, help, completion, and errors of one line."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from icws_explore.cli.main import COMMANDS, main, run
from icws_explore.cli.main import icws as icws_group


class TestHelp:
    def test_lists_every_command(self, icws):
        assert icws("--help").code == 0
        for name, (_, about) in COMMANDS.items():
            assert name in icws.out
            assert about.split()[0] in icws.out

    @pytest.mark.parametrize("name", COMMANDS)
    def test_of_each_command_has_examples(self, icws, name):
        assert icws(name, "--help").code == 0
        assert f"icws {name}" in icws.out
        assert "Example" in icws.out

    def test_version(self, icws):
        assert icws("--version").out.split()[-1].count(".") == 2

    @pytest.mark.parametrize("module", ["icws_explore", "icws_explore.cli"])
    def test_runs_as_a_module(self, module):
        done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("icws, version ")

    def test_the_end_of_the_process_searches_no_cycles(self, capsys) -> None:
        try:
            with pytest.raises(SystemExit) as left:
                main(["--version"])
            assert left.value.code == 0
            assert gc.get_freeze_count() > 0
        finally:
            gc.unfreeze()


class TestUsage:
    @pytest.mark.parametrize(
        "arguments", [["nonsense"], ["show"], ["verify", "--what"], ["open", "ws://x"], ["lab", "--time-scale", "0"]]
    )
    def test_is_exit_2_and_points_to_help(self, icws, arguments):
        assert "--help" in icws.fails(2, *arguments)

    def test_no_command_shows_help(self, icws):
        assert icws().code in (0, 2)


class TestErrors:
    def test_a_hostile_text_cannot_move_the_cursor(self, icws, tmp_path):
        line = icws.fails(3, "show", tmp_path / "a\x1b[2J\nb.icws")
        assert "\x1b" not in line

    def test_a_closed_pipe_is_no_error(self, recorded):
        done = subprocess.run(
            f"{sys.executable} -m icws_explore.cli show {recorded} --json | head -1",
            shell=True, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stdout.count("\n") == 1
        assert done.stderr == ""


class TestWithoutStreams:
    @pytest.mark.parametrize("arguments", ["show FILE", "show FILE --json", "verify FILE", "report FILE -o -"])
    def test_a_process_without_a_stdout_does_its_work(self, recorded, arguments):
        command = f"{sys.executable} -m icws_explore.cli {arguments.replace('FILE', str(recorded))} >&-"
        done = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    def test_and_does_not_print_into_the_file_that_it_writes(self, recorded, tmp_path):
        command = f"{sys.executable} -m icws_explore.cli report {recorded} -o {tmp_path / 'r.md'} >&- 2>&- <&-"
        done = subprocess.run(command, shell=True, timeout=60, check=False)
        assert done.returncode == 0
        assert (tmp_path / "r.md").read_text("utf-8").startswith("### ")


class TestOutput:
    """In a process of its own: whose stdout it is matters."""

    def icws(self, *arguments, out=subprocess.PIPE, **environment):
        return subprocess.run(
            [sys.executable, "-m", "icws_explore.cli", *arguments],
            env=os.environ | environment, stdout=out, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
    @pytest.mark.parametrize("as_json", [[], ["--json"]])
    def test_on_a_full_disk_is_one_line(self, recorded, as_json):
        with Path("/dev/full").open("w") as full:
            done = self.icws("show", str(recorded), *as_json, out=full)
        assert (done.returncode, done.stderr.decode().count("\n")) == (3, 1)
        assert b"No space left" in done.stderr

    def test_where_there_are_no_arrows_is_still_a_table(self, recorded):
        done = self.icws("show", str(recorded), PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"handshake" in done.stdout


class TestCompletion:
    def test_knows_the_commands(self):
        environment = os.environ | {"_ICWS_COMPLETE": "bash_complete", "COMP_WORDS": "icws ", "COMP_CWORD": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "icws_explore.cli"],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        for name in COMMANDS:
            assert f"plain,{name}" in done.stdout

    @pytest.mark.parametrize(
        ("words", "offered"),
        [
            ("icws lab --app ping", "plain,pingpong"),
            ("icws lab --app ./my", "file,./my"),
            ("icws open ws://h --identity me", "file,me"),
            ("icws show ses", "file,ses"),
        ],
    )
    def test_knows_apps_and_files(self, words, offered):
        completion = ShellComplete(icws_group, {}, "icws", "_ICWS_COMPLETE")
        *before, begun = words.split()[1:]
        assert [f"{item.type},{item.value}" for item in completion.get_completions(before, begun)] == [offered]


class TestRun:
    def test_gives_the_exit_code(self, recorded):
        assert run(["verify", str(recorded)]) == 0
