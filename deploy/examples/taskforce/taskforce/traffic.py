"""Who comes to the backend: people who look around, one who guesses passwords, and one who will not stop.

`python -m taskforce.traffic --url http://127.0.0.1:8000`, until TERM; says every ten seconds what was answered.
"""

import argparse
import asyncio
import logging
import random
import signal
from collections import Counter

import httpx

from taskforce.backend import token

REPORT_SECONDS = 10

log = logging.getLogger("taskforce.traffic")


async def person(client: httpx.AsyncClient, name: str, answers: Counter[str]) -> None:
    """Looks at contacts, now and then creates a campaign and starts it."""
    headers = {"authorization": f"Bearer {token(name)}"}
    while True:
        await asyncio.sleep(random.uniform(20, 60))
        await _ask(client, "person", answers, "GET", "/api/contacts", headers=headers)
        if random.random() < 0.2:
            await _ask(client, "person", answers, "POST", "/api/campaigns", headers=headers, json={"title": "spring"})
            await _ask(client, "person", answers, "POST", "/api/campaigns/1/schedule", headers=headers)


async def guesser(client: httpx.AsyncClient, answers: Counter[str]) -> None:
    """Another password every second."""
    while True:
        await asyncio.sleep(1)
        guess = {"name": "ada", "password": f"{random.randrange(10**6)}"}
        await _ask(client, "guesser", answers, "POST", "/api/auth/login", json=guess)


async def hammer(client: httpx.AsyncClient, answers: Counter[str]) -> None:
    """The admin page, several times a second."""
    while True:
        await asyncio.sleep(0.2)
        await _ask(client, "hammer", answers, "GET", "/api/admin/statistics")


async def _ask(
    client: httpx.AsyncClient, who: str, answers: Counter[str], method: str, path: str, **more: object
) -> None:
    try:
        response = await client.request(method, path, **more)  # type: ignore[arg-type]
        answers[f"{who} {response.status_code}"] += 1
    except httpx.HTTPError as error:
        answers[f"{who} {type(error).__name__}"] += 1


async def run(url: str) -> None:
    """Each kind from an address of its own, so that one does not use up what another may."""
    answers: Counter[str] = Counter()
    async with asyncio.TaskGroup() as group:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        clients = [_client(url, f"127.0.1.{i}") for i in range(1, 4)]
        tasks = [group.create_task(person(clients[0], f"user-{i}", answers)) for i in range(5)]
        tasks += [group.create_task(guesser(clients[1], answers)), group.create_task(hammer(clients[2], answers))]
        while not stopping.is_set():
            try:
                async with asyncio.timeout(REPORT_SECONDS):
                    await stopping.wait()
            except TimeoutError:
                log.info("answered so far: %s", ", ".join(f"{what} x{n}" for what, n in sorted(answers.items())))
        for task in tasks:
            task.cancel()
    for client in clients:
        await client.aclose()


def _client(url: str, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, transport=httpx.AsyncHTTPTransport(local_address=address), timeout=30)


def main() -> None:
    parser = argparse.ArgumentParser(prog="taskforce.traffic", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(run(parser.parse_args().url))


if __name__ == "__main__":
    main()
