from __future__ import annotations

from lark import Lark

from icws_explore.protocol.candid.did import GRAMMAR, TERMINAL_NAMES, Builder

PARSER = Lark(GRAMMAR, parser="lalr", start=["did", "did_or_type"])


class TestGrammar:
    def test_every_terminal_has_a_word_for_people(self) -> None:
        ignored = set(PARSER.ignore_tokens)
        assert {terminal.name for terminal in PARSER.terminals} - ignored <= TERMINAL_NAMES.keys()

    def test_every_rule_is_built(self) -> None:
        rules = {rule.alias or rule.options.template_source or rule.origin.name for rule in PARSER.rules}
        made = {str(rule) for rule in rules if not str(rule).startswith("_") and rule != "datatype"}
        assert {name for name in made if not hasattr(Builder, f"_{name}")} == set()
