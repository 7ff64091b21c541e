"""The store reads a key out of `meta` as the worker does, or asks the worker; never anything else."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate_worker.lane_keys import LONGEST_KEY, key_of

LIB = files("headgate.gates") / "lua" / "lib"
FIELD = "tenant"
ASK = "ask"
PROTOCOLS = st.integers(2, pickle.HIGHEST_PROTOCOL)
Answer = Callable[[bytes], str | None]

words = st.one_of(st.sampled_from([FIELD, "x", "", "é", "ключ", "😀", "a" * 300]), st.text(max_size=12))
numbers = st.one_of(
    st.integers(-300, 70_000), st.integers(-(2**70), 2**70), st.sampled_from([2**31, -(2**31), 2**47, 0])
)
scalars = st.one_of(words, numbers, st.none(), st.booleans(), st.floats(), st.binary(max_size=5))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.tuples(inner, inner), st.dictionaries(words, inner, max_size=3)
    ),
    max_leaves=6,
)
plain_json = st.recursive(
    st.one_of(words, numbers, st.none(), st.booleans(), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)
PROGRAM = [
    b"}", b"}", b"(", b"u", b"u", b"s", b"]", b"a", b"e", b")", b"t", b"\x85", b"\x86", b"\x87", b"N", b"\x88",
    b"\x8c\x06tenant", b"\x8c\x06tenant", b"X\x06\x00\x00\x00tenant", b"C\x06tenant", b"\x8c\x01x", b"\x8c\x00",
    b"\x8c\x02\xc3\xa9", b"\x8c\x01\xff", b"\x8c\x03\xed\xa0\x80", b"\x94", b"\x94", b"q\x00", b"q\x03", b"h\x00",
    b"h\x01", b"h\x03", b"K\x05", b"M\x00\x01", b"J\xff\xff\xff\xff", b"\x8a\x00", b"\x8a\x02\xff\xff", b"0", b"2",
    b".", b"G" + bytes(8), b"\x95" + bytes(8), b"\x95\x03" + bytes(7), b"\x95\xff" + bytes(7), b"\x8f",
    b"cbuiltins\neval\n",
]  # fmt: skip
"""Opcodes in any order: a stack, mark or memo used wrongly must end in Python's answer or in a question."""
JSON_TOKENS = [
    "{", "}", '"tenant"', ":", ": ", ",", '"x"', '"\\u00e9"', '"\\ud800"', '"\\"}"', "[", "]", " ", "\n", '"\t"',
    "null", "true", "nan", "NaN", "5", "-0", "05", "+1", "1.5", "5.0", "1e3", "0x10", "1" * 20, "1" * 5000, "é",
]  # fmt: skip


@pytest.fixture
def answer(store_url: str) -> Iterator[Answer]:
    """What the store's reader says to a `meta`: a key, None for none, ASK."""
    text = (LIB / "meta_key.lua").read_text()
    text = re.sub(r"^-- include: (\w+)$", lambda part: (LIB / f"{part[1]}.lua").read_text(), text, flags=re.MULTILINE)
    with redis.Redis.from_url(store_url) as client:
        run = client.register_script(text + "\nreturn key_in(ARGV[1], ARGV[2])")

        def ask(raw: bytes) -> str | None:
            found = run(args=[raw, FIELD])
            if found is None:
                return ASK
            said = found.decode()
            assert said[0] in "=-"
            assert said == "-" or len(said) > 1
            return said[1:] if said[0] == "=" else None

        yield ask


many = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def exact(answer: Answer, raw: bytes) -> bool:
    """Equal to the worker's, or a question: then False."""
    said = answer(raw)
    assert said in (ASK, key_of(raw, FIELD)), raw
    return said != ASK


@many
@given(st.dictionaries(words, values, max_size=6), st.one_of(st.just(...), values), PROTOCOLS)
def test_pickled_meta(answer: Answer, meta: dict[str, Any], tenant: Any, protocol: int) -> None:
    if tenant is not ...:
        meta[FIELD] = tenant
    exact(answer, pickle.dumps(meta, protocol))


@many
@given(st.dictionaries(words, plain_json, max_size=6), st.one_of(st.just(...), plain_json), st.booleans())
def test_json_meta(answer: Answer, meta: dict[str, Any], tenant: Any, escaped: bool) -> None:
    if tenant is not ...:
        meta[FIELD] = tenant
    exact(answer, json.dumps(meta, ensure_ascii=escaped).encode())


@many
@given(st.lists(st.sampled_from(PROGRAM), max_size=14), PROTOCOLS)
def test_opcodes_in_any_order(answer: Answer, program: list[bytes], protocol: int) -> None:
    exact(answer, bytes([0x80, protocol]) + b"".join(program) + b".")


@many
@given(st.lists(st.sampled_from(PROGRAM), max_size=4), st.integers(0, 40), st.integers(0, 255), PROTOCOLS)
def test_a_pickle_with_something_in_its_middle(
    answer: Answer, program: list[bytes], at: int, other: int, protocol: int
) -> None:
    raw = pickle.dumps({"a": FIELD, "n": [1, {FIELD: "y"}], FIELD: "x", "é": (True,)}, protocol)
    exact(answer, raw[:at] + b"".join(program) + raw[at:])
    exact(answer, raw[:at])
    if other not in b"r\x8d\x8e\x96":  # with these Python may ask for all memory there is
        exact(answer, raw[:at] + bytes([other]) + raw[at + 1 :])


@many
@given(st.lists(st.sampled_from(JSON_TOKENS), max_size=9), st.sampled_from(["7", '"x"', "-7", "null", "1.0"]))
def test_json_in_any_order(answer: Answer, tokens: list[str], tenant: str) -> None:
    exact(answer, ("{" + "".join(tokens)).encode())
    exact(answer, ('{"tenant": ' + tenant + ', "a": ' + "".join(tokens) + "}").encode())


shared = "x" * 20


@pytest.mark.parametrize(
    "meta",
    [
        {FIELD: "acme"}, {"a": FIELD, "b": "x"}, {"a": FIELD, FIELD: FIELD}, {"a": shared, FIELD: shared, "c": shared},
        {FIELD: 42}, {FIELD: -1}, {FIELD: 2**40}, {FIELD: True}, {FIELD: None}, {FIELD: ""}, {FIELD: "ключ"},
        {"f": 1.5, FIELD: "x"},
        {"deep": {FIELD: "no"}, "list": [1, FIELD], FIELD: "yes"}, {str(i): i for i in range(60)}, {},
    ],
)  # fmt: skip
def test_the_usual_ones_are_never_asked_for(answer: Answer, meta: dict[str, Any]) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert exact(answer, pickle.dumps(meta, protocol))
    assert exact(answer, json.dumps(meta).encode())


@pytest.mark.parametrize(
    "raw",
    [
        pickle.dumps({FIELD: "x", "at": datetime(2026, 11, 24, tzinfo=UTC)}), pickle.dumps({FIELD: "x"}, 0),
        pickle.dumps({FIELD: "x" * (LONGEST_KEY + 1)}), pickle.dumps({FIELD: "x", "much": "y" * 1024}), b"", b"x",
        pickle.dumps({FIELD: "\ud800"}), pickle.dumps({FIELD: 2**600}), pickle.dumps([FIELD]), b'{"tenant": "\xff"}',
    ],
)  # fmt: skip
def test_what_it_does_not_know_is_asked_for(answer: Answer, raw: bytes) -> None:
    assert answer(raw) == ASK


def test_a_key_that_no_store_can_carry_is_none() -> None:
    assert key_of(pickle.dumps({FIELD: "\ud800"}), FIELD) is None
    assert key_of(pickle.dumps({FIELD: 10**5000}), FIELD) is None
