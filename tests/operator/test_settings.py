"""Every mistake in the configuration is one sentence that names the place, the value and what would be right."""

from pathlib import Path

import pytest

from headgate.control.stores import Site
from headgate.errors import InvalidInput
from headgate_operator.settings import Settings
from headgate_operator.stores_file import read_stores_file

GOOD = """
stores:
- name: default
  urlFile: /etc/headgate/stores/default/url
  keyPrefix: rq
  namespaces: [taskforce]
  workerSecretName: headgate-store
- name: shared
  urlFile: /etc/headgate/stores/shared/url
  workerSecretName: shared-store
workerDefaults:
  taskforce: {image: "example.com/app:1", env: [{name: A, value: b}], imagePullSecrets: [{name: pull}]}
  "*": {image: "example.com/base:1"}
"""


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    path = tmp_path / "stores.yaml"
    path.write_text(GOOD)
    return path


def settings(stores: Path, **environ: str) -> Settings:
    return Settings.from_environment({"HEADGATE_STORES_FILE": str(stores), **environ})


def test_defaults(stores: Path) -> None:
    found = settings(stores, HEADGATE_POD_NAME="operator-1")
    assert found.namespaces is None
    assert (found.lease_name, found.port, found.resync_seconds) == ("headgate-operator", 9180, 300)
    assert found.identity.startswith("operator-1_")
    assert found.identity != settings(stores, HEADGATE_POD_NAME="operator-1").identity, (
        "a restarted container is another"
    )


def test_namespaces(stores: Path) -> None:
    assert settings(stores, HEADGATE_NAMESPACES="a, b,a").namespaces == ("a", "b")
    assert settings(stores, HEADGATE_NAMESPACES="*").namespaces is None


def test_stores_and_worker_defaults(stores: Path) -> None:
    file = settings(stores).stores
    default, shared = file.stores
    assert default.serves("taskforce")
    assert not default.serves("other")
    assert shared.serves("other")
    assert (shared.key_prefix, shared.worker_secret_name) == ("rq", "shared-store")
    assert file.url_files["shared"] == Path("/etc/headgate/stores/shared/url")
    site = Site(file.stores, file.worker_defaults)
    assert site.defaults_for("taskforce").image == "example.com/app:1"
    assert site.defaults_for("taskforce").env == ({"name": "A", "value": "b"},)
    assert site.defaults_for("other").image == "example.com/base:1"


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("HEADGATE_STORES_FILE", "", "HEADGATE_STORES_FILE is not set: it must be the path of the stores file"),
        ("HEADGATE_STORES_FILE", "/nowhere", "the stores file /nowhere cannot be read (No such file or directory)"),
        ("HEADGATE_PORT", "http", "HEADGATE_PORT is 'http': it must be a whole number from 0 to 65535"),
        ("HEADGATE_PORT", "65536", "HEADGATE_PORT is '65536': it must be a whole number from 0 to 65535"),
        ("HEADGATE_RESYNC_SECONDS", "0", "HEADGATE_RESYNC_SECONDS is '0': it must be a whole number from 1 to 86400"),
        ("HEADGATE_NAMESPACES", "team-*", "HEADGATE_NAMESPACES names 'team-*', which is no namespace"),
        ("HEADGATE_LEASE_NAME", "My Lease", "HEADGATE_LEASE_NAME is 'My Lease': it must be lower case letters"),
        ("HEADGATE_LOG_FORMAT", "xml", "HEADGATE_LOG_FORMAT is 'xml': it must be text or json"),
    ],
)
def test_a_bad_variable(stores: Path, key: str, value: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        settings(stores, **{key: value})
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("- name: default\n  ", "- "), "stores[0].name: missing, give lower-case letters, digits and dashes"),
        (("name: shared", "name: default"), "stores has two entries named 'default', give each its own name"),
        (("name: shared", "name: Shared"), 'stores[1].name: "Shared" is not allowed, give lower-case letters'),
        (("keyPrefix: rq", "prefix: rq"), "stores[0].prefix: unknown field, did you mean stores[0].keyPrefix?"),
        (("keyPrefix: rq", "keyPrefix: 'a b'"), 'stores[0].keyPrefix: "a b" is not allowed, give letters, digits'),
        (("namespaces: [taskforce]", "namespaces: []"), "stores[0].namespaces: [] is not allowed, give a list"),
        (("namespaces: [taskforce]", "namespaces: 5"), "stores[0].namespaces: 5 is not allowed, give a list"),
        (("  workerSecretName: shared-store\n", ""), "stores[1].workerSecretName: missing, give lower-case letters"),
        (
            ('image: "example.com/base:1"', "imgae: x"),
            "workerDefaults.*.imgae: unknown field, did you mean workerDefaults",
        ),
        (('image: "example.com/base:1"', "image: 5"), "workerDefaults.*.image: 5 is not allowed, give text"),
        (("stores:", "stors:"), "stores: missing, give a list"),
        ((GOOD, "stores: [}"), "is no YAML"),
        ((GOOD, "just words"), "holds 'just words': give a mapping with stores and workerDefaults"),
    ],
)
def test_a_bad_stores_file(stores: Path, change: tuple[str, str], sentence: str) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    stores.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        read_stores_file(str(stores))
    assert str(caught.value).startswith(f"the stores file {stores}")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
