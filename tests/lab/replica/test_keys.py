from __future__ import annotations

from icws_explore.lab.replica.subnet import CANISTER_RANGE, FIRST_CANISTER, LabKeys, canister_principal


class TestCanisterIds:
    def test_are_those_of_a_local_replica(self) -> None:
        assert str(canister_principal(FIRST_CANISTER)) == "bnz7o-iuaaa-aaaaa-qaaaa-cai"
        assert str(canister_principal(FIRST_CANISTER + 1)) == "bkyz2-fmaaa-aaaaa-qaaaq-cai"

    def test_lie_in_the_subnets_range(self) -> None:
        low, high = CANISTER_RANGE
        assert low <= canister_principal(FIRST_CANISTER + 1000) <= high


class TestSeed:
    def test_one_seed_gives_one_set_of_keys(self) -> None:
        assert LabKeys(7).secret("root") == LabKeys(7).secret("root")
        assert LabKeys(7).identity("gateway 0").principal == LabKeys(7).identity("gateway 0").principal

    def test_another_seed_or_name_gives_others(self) -> None:
        secrets = {LabKeys(7).secret("root"), LabKeys(8).secret("root"), LabKeys(7).secret("subnet")}
        assert len(secrets) == 3

    def test_without_a_seed_they_are_random(self) -> None:
        assert LabKeys().secret("root") != LabKeys().secret("root")

    def test_no_secret_is_shown(self) -> None:
        assert repr(LabKeys(7)) == "LabKeys(seed=7)"
