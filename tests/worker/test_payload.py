"""What is read of a payload, and what is refused before any of it runs."""

import json
import pickle
import zlib
from pathlib import Path

import pytest

from headgate_worker.functions import Functions
from headgate_worker.payload import Refused, plain_meta, reader

LIMIT = 64 * 1024 * 1024


class Hostile:
    """Its pickle would create a file when read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def stored(value: object) -> dict[bytes, bytes]:
    return {b"data": zlib.compress(pickle.dumps(value, protocol=5))}


def test_reads_what_rq_stores() -> None:
    call = ("app.tasks.send", None, (1, "two"), {"three": [3.0, None, b"x"]})
    for payload in ("Any", "Plain"):
        assert reader(payload, LIMIT)(stored(call)) == call


def test_json_call() -> None:
    packed = {b"data": json.dumps(["app.tasks.send", None, [1], {"a": 2}]).encode()}
    assert reader("JSON", LIMIT)(packed) == ("app.tasks.send", None, [1], {"a": 2})


@pytest.mark.parametrize("payload", ["Plain", "JSON"])
def test_a_hostile_pickle_runs_nothing(payload: str, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    with pytest.raises(Refused, match="PayloadRefused") as refused:
        reader(payload, LIMIT)(stored(("app.f", None, (Hostile(touched),), {})))
    assert refused.value.reason == "PayloadRefused"
    assert not touched.exists()


def test_the_same_pickle_runs_under_any(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    reader("Any", LIMIT)(stored(("app.f", None, (Hostile(touched),), {})))
    assert touched.exists()


@pytest.mark.parametrize(
    "value",
    [
        ("f", None, ()),
        ["f", None, (), {}, 1],
        "f",
        None,
        ("f", None, "args", {}),
        (b"f", None, (), {}),
        ("f", "x", (), {}),
    ],
)
def test_only_a_call_is_a_payload(value: object) -> None:
    with pytest.raises(Refused, match="PayloadRefused"):
        reader("Plain", LIMIT)(stored(value))


def test_no_data() -> None:
    with pytest.raises(Refused, match="PayloadMissing: the job's hash has no field `data`"):
        reader("Any", LIMIT)({b"status": b"queued"})


def test_too_large_as_stored_and_unpacked() -> None:
    with pytest.raises(Refused, match="PayloadTooLarge: 3000 bytes as stored, the limit is 2048"):
        reader("Any", 2048)({b"data": b"x" * 3000})
    bomb = zlib.compress(b"\0" * 10_000_000)
    assert len(bomb) < 20_000
    with pytest.raises(Refused, match="more than 100000 bytes when unpacked"):
        reader("Any", 100_000)({b"data": bomb})


def test_uncompressed_data_is_read_like_rq_does() -> None:
    call = ("f", None, (), {})
    assert reader("Any", LIMIT)({b"data": pickle.dumps(call)}) == call
    assert reader("Any", 1024)({b"data": pickle.dumps(call)}) == call


def test_meta_is_read_without_running_it(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    assert plain_meta(pickle.dumps({"tenant": "acme"})) == {"tenant": "acme"}
    assert plain_meta(b'{"tenant": "acme"}') == {"tenant": "acme"}
    assert plain_meta(pickle.dumps({"tenant": Hostile(touched)})) == {}
    assert plain_meta(pickle.dumps([1])) == {}
    assert plain_meta(None) == {}
    assert not touched.exists()


def test_a_list_allows_exact_names_only() -> None:
    functions = Functions(["json.dumps"], trusted=False)
    assert functions.get("json.dumps") is json.dumps
    for name in ("json.dumpsx", "json.dump", "json", "builtins.eval", "eval"):
        with pytest.raises(Refused, match=f"FunctionNotAllowed: {name} is not in jobs.functions"):
            functions.get(name)


def test_without_a_list_python_itself_is_out_of_bounds() -> None:
    functions = Functions(None, trusted=False)
    for name in ("eval", "builtins.eval", "os.system", "subprocess.run", "posix.system"):
        with pytest.raises(Refused, match="FunctionNotAllowed"):
            functions.get(name)
    assert functions.get("tests.worker.tasks.add")(1, 2) == 3


def test_callbacks_follow_the_list() -> None:
    functions = Functions(["app.f"], trusted=False)
    functions.check_callbacks({b"success_callback_name": b"app.f", b"failure_callback_name": b""})
    with pytest.raises(Refused, match=r"os\.system"):
        functions.check_callbacks({b"failure_callback_name": b"os.system"})


def test_what_does_not_import_says_why() -> None:
    with pytest.raises(ValueError, match=r"no_such_module\.f does not import: No module named 'no_such_module'"):
        Functions(None, trusted=True).get("no_such_module.f")
    with pytest.raises(ValueError, match=r"tests\.worker\.tasks\.gone does not import: .* has no attribute 'gone'"):
        Functions(None, trusted=True).get("tests.worker.tasks.gone")
