"""Two tenants on one server: two prefixes, two ACL users, and neither can read, change or hold up the other's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from headgate.errors import HeadgateError
from headgate.gates.door import Door
from headgate.gates.owners import Owner
from headgate.model.documents import QueueDocument

pytestmark = pytest.mark.store


RIGHTS = ("+@all", "-@admin", "-@dangerous", "+info", "+config|get", "+client", "+keys")


@pytest.fixture
def tenants(store_url: str) -> Iterator[dict[str, str]]:
    """Prefix -> URL of its user, who may do anything to keys and channels of that prefix and nothing to others."""
    urls = {}
    with redis.Redis.from_url(store_url) as admin:
        for name in ("sales", "research"):
            reset = ["on", f">{name}-password", "resetkeys", "resetchannels", f"~{name}:*", f"&{name}:*"]
            admin.execute_command("ACL", "SETUSER", name, *reset, *RIGHTS)
            urls[name] = store_url.replace("redis://", f"redis://{name}:{name}-password@")
        yield urls
        for name in urls:
            admin.execute_command("ACL", "DELUSER", name)


def test_each_works_with_its_own_prefix(tenants: dict[str, str]) -> None:
    for name, total in (("sales", 2), ("research", 5)):
        with closing(Door(tenants[name], name)) as door:
            door.publish(QueueDocument(queue="mail", total=total), Owner(f"{name}/mail", f"uid-{name}", 1))
    for name, total in (("sales", 2), ("research", 5)):
        with closing(Door(tenants[name], name)) as door:
            assert set(door.inspect().queues) == {"mail"}
            found = door.read_document("mail")
            assert found is not None
            assert found[1].total == total


def test_neither_touches_the_other(tenants: dict[str, str]) -> None:
    with closing(Door(tenants["research"], "research")) as door:
        door.publish(QueueDocument(queue="mail", total=5), Owner("research/mail", "uid-research", 1))
        before = door.read_document("mail")
    document = QueueDocument(queue="mail", total=1)
    with closing(Door(tenants["sales"], "research")) as thief:
        for attempt in (
            lambda: thief.publish(document, Owner("sales/mail", "uid-sales", 9)),
            thief.inspect,
            lambda: thief.read_document("mail"),
            lambda: thief.unpublish("queue", "mail", Owner("research/mail", "uid-research", 1)),
            lambda: thief.command("DEL", "research:queue:mail"),
        ):
            with pytest.raises(
                (HeadgateError, redis.exceptions.RedisError), match=r"(?i)permission|no permissions|NOPERM|may not"
            ):
                attempt()
    with closing(Door(tenants["research"], "research")) as door:
        assert door.read_document("mail") == before
