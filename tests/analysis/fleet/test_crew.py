"""Who does the work: this process, processes of its own, or a cluster; whoever dies costs one piece of work."""

import multiprocessing
import os
import socket
import ssl
from contextlib import closing, suppress

import distributed
import pytest

from icws_explore.analysis.fleet import crew as crew_module
from icws_explore.analysis.fleet.crew import SMALL, Crew
from icws_explore.protocol.errors import ArgumentValueError, ConnectError, IcwsError
from support import crews
from support.crews import Piece

HANG_S = 60  # a hang guard


def pieces(number, size=0):
    return [Piece(each, size) for each in range(number)]


def results_of(crew, work, items):
    return {piece.number: result for piece, result in crew.each(work, items)}


@pytest.fixture(scope="module")
def cluster():
    """A cluster that somebody else has started."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster.scheduler_address


class TestThisProcess:
    def test_does_what_is_small(self):
        assert set(results_of(Crew(), crews.process, pieces(3)).values()) == {os.getpid()}

    def test_does_what_one_worker_does(self):
        assert set(results_of(Crew(workers=1), crews.process, pieces(3, 10 * SMALL)).values()) == {os.getpid()}

    def test_does_nothing_for_nobody(self):
        assert list(Crew().each(crews.process, [])) == []


@pytest.mark.slow
class TestProcesses:
    def test_do_what_they_are_asked_and_end(self):
        results = results_of(Crew(workers=2), crews.process, pieces(20))
        assert len(results) == 20
        assert len(set(results.values())) == 2
        assert os.getpid() not in results.values()
        assert multiprocessing.active_children() == []

    def test_take_in_nobody_else(self):
        """Whoever can talk to a scheduler can run any code in its workers."""
        others = {each.laddr for each in listening()}  # of other tests' servers in this process
        with closing(Crew(workers=2).each(crews.squared, pieces(40))) as results:
            next(results)
            addresses = {each.laddr for each in listening()} - others
            ports = {each.port for each in addresses if each.ip == "127.0.0.1"}
            assert ports
            assert {each.ip for each in addresses} == {"127.0.0.1"}
            anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
            for port in ports:
                answer = b""
                with socket.create_connection(("127.0.0.1", port), HANG_S) as plain, suppress(ConnectionResetError):
                    plain.sendall(b"GET /info/main/workers.html HTTP/1.0\r\n\r\n")
                    answer = plain.recv(100)
                if answer.startswith(b"HTTP/"):  # a server for pages, of which it has none
                    assert b" 404 " in answer
                    continue
                with (
                    socket.create_connection(("127.0.0.1", port), HANG_S) as plain,
                    pytest.raises(ssl.SSLError),
                    anybody.wrap_socket(plain) as secret,
                ):
                    assert secret.recv(1) == b"", "a scheduler greets whom it lets in"
                    raise ssl.SSLError

    def test_end_when_they_are_no_longer_needed(self):
        results = Crew(workers=2).each(crews.squared, pieces(100))
        next(results)
        results.close()
        assert multiprocessing.active_children() == []


def listening():
    import psutil

    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return [each for process in family for each in process.net_connections("tcp") if each.status == "LISTEN"]


class TestACluster:
    def test_does_the_work(self, cluster):
        results = results_of(Crew(scheduler=cluster), crews.squared, pieces(30))
        assert results == {number: number**2 for number in range(30)}

    def test_has_as_many_pieces_at_a_time_as_were_asked_for(self, cluster):
        assert len(results_of(Crew(workers=1, scheduler=cluster), crews.squared, pieces(5))) == 5

    def test_passes_on_what_the_work_raises(self, cluster):
        with pytest.raises(ZeroDivisionError, match="piece 0"):
            results_of(Crew(scheduler=cluster), crews.failing, pieces(1))

    @pytest.mark.slow
    def test_loses_one_piece_to_a_worker_that_dies_of_it(self, cluster):
        results = results_of(Crew(scheduler=cluster), crews.dying, pieces(6))
        assert results.pop(2) == "the processes that worked on piece 2 died: out of memory?"
        assert results == {number: number for number in (0, 1, 3, 4, 5)}

    def test_with_another_version(self, cluster, monkeypatch):
        with distributed.Client(cluster) as client:
            client.wait_for_workers(2, timeout=60)  # the test before has ended some, which are started again
        monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0.1")  # here, not in the workers
        with pytest.raises(IcwsError, match=r"has icws_explore .*, not 0\.0\.1"):
            results_of(Crew(scheduler=cluster), crews.squared, pieces(1))

    def test_that_does_not_answer(self, monkeypatch):
        monkeypatch.setattr(crew_module, "CONNECT_S", 1.0)
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            with pytest.raises(ConnectError, match="no Dask scheduler answers at"):
                results_of(Crew(scheduler=f"tcp://127.0.0.1:{nobody.getsockname()[1]}"), crews.squared, pieces(1))

    @pytest.mark.parametrize("address", ["nonsense://x", "tcp://", "\0"])
    def test_with_an_address_that_is_none(self, address, monkeypatch):
        monkeypatch.setattr(crew_module, "CONNECT_S", 1.0)
        with pytest.raises(ConnectError, match="no Dask scheduler answers"):
            results_of(Crew(scheduler=address), crews.squared, pieces(1))


class TestArguments:
    @pytest.mark.parametrize("workers", [0, -1, 2000])
    def test_of_no_use(self, workers):
        with pytest.raises(ArgumentValueError, match="workers must be from 1 to 1024"):
            Crew(workers=workers)
