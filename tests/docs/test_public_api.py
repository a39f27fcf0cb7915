"""What the API reference takes for public: found from the front door, whatever module a name lives in."""

from __future__ import annotations

import icws_explore as icws
from docs._ext import public_api
from docs._ext.public_api import Public
from icws_explore.protocol.canister.state import CdkState


def names(publics: list[Public]) -> set[str]:
    return {public.path for public in publics}


class TestPublicNames:
    def test_begin_with_the_front_door(self) -> None:
        assert names(public_api.front_door()) == {f"icws_explore.{name}" for name in icws.__all__}

    def test_include_what_public_modules_export(self) -> None:
        public = names(public_api.public_names())
        assert {f"icws_explore.plots.{name}" for name in icws.plots.__all__} <= public
        assert {"icws_explore.edit.set", "icws_explore.candid.encode"} <= public

    def test_leave_out_what_a_module_only_imports(self) -> None:
        assert "icws_explore.edit.Recording" not in names(public_api.public_names())

    def test_have_one_home_each_the_front_door_first(self) -> None:
        homes = public_api.home_of()
        assert homes[id(icws.Principal)].path == "icws_explore.Principal"
        assert homes[id(icws.plots.timeline)].path == "icws_explore.plots.timeline"

    def test_know_their_room(self) -> None:
        rooms = {public.name: public.room for public in public_api.front_door()}
        assert rooms["connect"] == "live"
        assert rooms["plots"] == "views"
        assert rooms["Principal"] == "protocol"


class TestNeighbours:
    def test_are_what_public_names_return_and_that_in_turn(self) -> None:
        types, _ = public_api.neighbours([Public("icws_explore.Recording", icws.Recording)])
        found = {kind.__name__ for kind in types}
        assert {"Timing", "Findings", "Finding", "Verdicts"} <= found

    def test_are_what_public_names_take(self) -> None:
        types, aliases = public_api.neighbours([Public("icws_explore.Lab", icws.Lab)])
        assert "Faults" in {kind.__name__ for kind in types}
        assert "Flavour" in {alias.name for alias in aliases}

    def test_are_what_a_constructor_sets(self) -> None:
        types, _ = public_api.neighbours([Public("state.CdkState", CdkState)])
        assert {"CertifiedMap", "RedBlackMap"} <= {kind.__name__ for kind in types}

    def test_are_not_public_themselves(self) -> None:
        types, _ = public_api.neighbours(public_api.public_names())
        assert not {id(kind) for kind in types} & set(public_api.home_of())


class TestNameIn:
    def test_sees_imports_that_only_type_checkers_see(self) -> None:
        module = public_api.imported(icws.Recording.__module__)
        assert public_api.name_in(module, "pd.DataFrame").__name__ == "DataFrame"

    def test_is_none_for_what_means_nothing(self) -> None:
        assert public_api.name_in(icws, "no_such_name") is None
        assert public_api.imported("icws_explore.no_such_name") is None
