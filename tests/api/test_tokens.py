"""Tokens: hashed in a file, replaced without a restart, the last good file stays."""

import os

import pytest

from headgate.errors import InvalidInput
from headgate_api.main import main
from headgate_api.settings import load
from headgate_api.tokens import Scope, TokenFile, new_token, parse


def write(path, text):
    """As a mounted Secret changes: another file takes its place."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, path)


@pytest.mark.store
async def test_a_token_rotates_without_a_restart(api, emails, tokens_file):
    old = tokens_file.read_text()
    token, line = new_token("read", "fresh")
    assert (await api.get(token, "/v1/queues")).status_code == 401
    write(tokens_file, line + "\n")
    assert (await api.get(token, "/v1/queues")).status_code == 200
    assert (await api.get("reader", "/v1/queues")).status_code == 401
    write(tokens_file, old)
    assert (await api.get(token, "/v1/queues")).status_code == 401
    assert (await api.get("reader", "/v1/queues")).status_code == 200


@pytest.mark.parametrize("broken", ["not a line\n", "sha256:abc read x\n", "sha256:" + "0" * 64 + " root x\n", None])
def test_a_file_that_broke_leaves_the_last_good_tokens(tmp_path, caplog, broken):
    path = tmp_path / "tokens"
    token, line = new_token("read,enqueue", "ada")
    path.write_text(line)
    tokens = TokenFile(path)
    if broken is None:
        path.unlink()
    else:
        write(path, broken)
    for _ in range(2):
        caller = tokens.caller(token)
        assert caller is not None
        assert caller.name == "ada"
    assert not caller.may(Scope.OPERATE)
    if broken is not None:
        assert caplog.text.count("last good ones stay") == 1
        assert "not a line" not in caplog.text
    write(path, "")
    assert tokens.caller(token) is None


def test_scopes_include_what_they_say():
    (operator,) = parse(new_token("operate", "o")[1], "x")
    assert [scope for scope in Scope if operator.caller.may(scope)] == [Scope.READ, Scope.ENQUEUE, Scope.OPERATE]
    (proxy,) = parse(new_token("proxy", "p")[1], "x")
    assert [scope for scope in Scope if proxy.caller.may(scope)] == [Scope.PROXY]


def test_a_wrong_line_is_named_by_its_number_only():
    with pytest.raises(InvalidInput, match="x, line 2: it must be `sha256") as refused:
        parse(f"# comment\nhg_{'s' * 43}\n", "x")
    assert "sss" not in str(refused.value)
    with pytest.raises(InvalidInput, match="scopes are read, enqueue, operate, proxy"):
        parse(f"sha256:{'0' * 64} admin x", "x")


def test_the_command_prints_a_token_and_its_line(capsys, tmp_path):
    assert main(["token", "ada", "operate"]) == 0
    token, line = capsys.readouterr().out.splitlines()
    path = tmp_path / "tokens"
    path.write_text(line)
    caller = TokenFile(path).caller(token)
    assert caller is not None
    assert (caller.name, caller.may(Scope.OPERATE)) == ("ada", True)
    assert token not in line
    assert TokenFile(path).caller(token + "x") is None
    assert main(["token", "two words"]) == 1
    assert main(["token"]) == 2
    assert main(["--help"]) == 0


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({}, "HEADGATE_TOKENS_FILE is not set"),
        ({"HEADGATE_TOKENS_FILE": "t"}, "HEADGATE_STORE_URL"),
        ({"HEADGATE_TOKENS_FILE": "t", "HEADGATE_STORE_URL": "http://x"}, "HEADGATE_STORE_URL"),
        ({"HEADGATE_TOKENS_FILE": "t", "HEADGATE_STORE_URL_FILE": "/none"}, "HEADGATE_STORE_URL_FILE=/none"),
        ({"HEADGATE_TOKENS_FILE": "t", "REDIS_URL": "redis://x", "HEADGATE_PORT": "70000"}, "HEADGATE_PORT is '70000'"),
        ({"HEADGATE_TOKENS_FILE": "t", "REDIS_URL": "redis://x", "HEADGATE_SURFACE": "A b"}, "HEADGATE_SURFACE"),
        ({"HEADGATE_TOKENS_FILE": "t", "REDIS_URL": "redis://x", "RQ_KEY_PREFIX": "a b"}, "RQ_KEY_PREFIX is 'a b'"),
    ],
)
def test_settings_name_the_variable(environ, named):
    with pytest.raises(InvalidInput, match=named):
        load(environ)
