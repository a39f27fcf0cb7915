"""What the parts have in common."""

from icws_explore.lab.simulator import simulate
from icws_explore.lab.simulator.world import NOBODY
from icws_explore.protocol.messages import ClientKey


def test_dice_are_everybody_s_own():
    world = simulate(duration="1s").world
    assert world.dice("a").random() == world.dice("a").random() != world.dice("b").random()


def test_sessions_are_found_by_their_keys():
    world = simulate(duration="1s", population=3).world
    keys = [client.machine.client_key for client in world.clients]
    assert [world.session_of(key) for key in keys] == [0, 1, 2]
    assert world.session_of(ClientKey(keys[0].client_principal, 1)) == NOBODY


def test_a_refused_call_is_written_down():
    world = simulate(duration="1s").world
    world.refused(0, "no reason")
    world.refused(NOBODY, "no reason")
    assert [event.text.split("canister: ")[1] for event in world.log.events[-2:]] == [
        "no reason (session 1)",
        "no reason (a session that is no more)",
    ]
