"""`headgate up` from its options to everything that it needs, and back to nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from headgate.errors import InvalidInput
from headgate.gates.async_door import AsyncDoor
from headgate_cli import settings
from headgate_cli.local.api_server import local_api
from headgate_cli.local.companion import Companion
from headgate_cli.local.conditions import ConditionTeller
from headgate_cli.local.console import Console, quiet_logs
from headgate_cli.local.files import PolicyFiles
from headgate_cli.local.fleet import Fleet, Place
from headgate_cli.local.folder import Folder
from headgate_cli.local.outlook import Outlook
from headgate_cli.local.serving import Serving
from headgate_cli.local.stops import Stops
from headgate_cli.local.store_server import EmbeddedStore, embedded_store
from headgate_cli.policies import resources_of


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of `headgate up`. `data` is for the embedded store, which is used when `store_url` is None.

    `port` 0: without API and dashboard.
    """

    policies: Path
    scope: str
    app: Path
    store_url: str | None
    data: Path | None
    companions: Sequence[str]
    before: int | None
    port: int = 0


async def run(wishes: Wishes, console: Console) -> int:
    """The exit code. Raises HeadgateError for what is wrong before anything was started."""
    quiet_logs(console)
    files, outlook = PolicyFiles(wishes.policies, wishes.scope), Outlook(wishes.before, console)
    reading = files.read()
    if not reading.mistakes and not resources_of(reading):
        raise InvalidInput(f"{wishes.policies}: no QueuePolicy, HTTPPolicy, PeriodicTask or Budget in its YAML files")
    outlook.look(reading)
    async with AsyncExitStack() as stack:
        store, url = await _store(wishes, console, stack)
        place = _place(wishes, url, stack)
        companions = [Companion(words, place.environ, place.app, console.say) for words in wishes.companions]
        door = AsyncDoor(url, place.key_prefix)
        stack.push_async_callback(door.close)
        await door.check()
        stops = Stops()
        stack.callback(stops.close)
        fleet = Fleet(place, door, console.say)
        ConditionTeller(fleet.cluster, console.warn, lambda line: console.say("", line))
        await fleet.start()
        if wishes.port:
            await stack.enter_async_context(local_api(wishes.port, url, place.environ, place.folder, console.say))
        folder = Folder(files, wishes.policies, wishes.scope, fleet.cluster, console.warn)
        await folder.apply(reading)
        return await Serving(fleet, folder, door, store, companions, outlook, console).run(stops)


async def _store(wishes: Wishes, console: Console, stack: AsyncExitStack) -> tuple[EmbeddedStore | None, str]:
    if wishes.store_url:
        return None, wishes.store_url
    store = await stack.enter_async_context(embedded_store(wishes.data, console.say))
    kept = f"its data is in {wishes.data}" if wishes.data else "it forgets everything at the end"
    console.say("", f"embedded store, {kept}; for other terminals: export REDIS_URL={store.url}")
    return store, store.url


def _place(wishes: Wishes, url: str, stack: AsyncExitStack) -> Place:
    if not wishes.app.is_dir():
        raise InvalidInput(f"--app {wishes.app}: no such folder, name the one from which the jobs' code is imported")
    environ = settings.for_children(wishes.app.resolve()) | {"REDIS_URL": url, "RQ_KEY_PREFIX": settings.key_prefix()}
    if not shutil.which("headgate-worker", path=environ["PATH"]):
        raise InvalidInput("there is no headgate-worker on PATH: pip install 'headgate[worker]'")
    folder = Path(tempfile.mkdtemp(prefix="headgate-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return Place(wishes.scope, url, settings.key_prefix(), folder, wishes.app.resolve(), environ)
