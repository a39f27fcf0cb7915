"""The parts of a simulation are connected, and each draws random numbers of its own."""

from icws_explore.lab.replica.subnet import LabKeys
from icws_explore.lab.simulator import simulate
from icws_explore.lab.simulator.world import NO_SESSION
from icws_explore.protocol.messages import ClientKey


def test_each_name_has_its_own_random_numbers():
    keys = LabKeys(1)
    assert keys.rng("a").random() == keys.rng("a").random() != keys.rng("b").random()


def test_sessions_are_found_by_their_client_keys():
    world = simulate(duration="1s", population=3).world
    keys = [client.machine.client_key for client in world.clients]
    assert [world.session_of(key) for key in keys] == [0, 1, 2]
    assert world.session_of(ClientKey(keys[0].client_principal, 1)) == NO_SESSION


def test_a_refused_call_is_logged():
    world = simulate(duration="1s").world
    world.refused(0, "no reason")
    world.refused(NO_SESSION, "no reason")
    assert [event.text.split("canister: ")[1] for event in world.log.events[-2:]] == [
        "no reason (session 1)",
        "no reason (an unknown session)",
    ]
