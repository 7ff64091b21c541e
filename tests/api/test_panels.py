"""The panel engine: one query for all who ask, stale on error, a deadline for each, never an error for the page."""

import asyncio

import pytest

from headgate_api.panels import RETRY_SECONDS, TTL_SECONDS, Freshness, Panel, Panels, Query


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Source:
    """Counts its queries; does what it is told."""

    def __init__(self):
        self.queries, self.most, self.running = 0, 0, 0
        self.does = "answer"
        self.gate = asyncio.Event()

    async def compute(self, query):
        self.queries += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0.01)
            if self.does == "fail":
                raise ValueError("no such table")
            if self.does == "hang":
                await self.gate.wait()
            return {"queries": self.queries, "days": query.days}
        finally:
            self.running -= 1


@pytest.fixture
def sources():
    return {name: Source() for name in ("users", "orders", "sizes")}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def panels(sources, clock):
    made = Panels(*(Panel(name, one.compute, deadline=0.3, fallback=[]) for name, one in sources.items()), clock=clock)
    yield made
    await made.close()


async def test_200_parallel_loads_are_one_query_a_panel(panels, sources):
    pages = await asyncio.gather(*(panels.page() for _ in range(200)))
    assert [source.queries for source in sources.values()] == [1, 1, 1]
    assert all(shown.value["queries"] == 1 for page in pages for shown in page.values())
    assert all(shown.freshness is Freshness.HIT for shown in (await panels.page()).values())


async def test_a_minute_later_it_is_computed_again_but_not_all_at_once(panels, sources, clock):
    await panels.page()
    clock.now += TTL_SECONDS * 0.9 - 1
    assert {shown.freshness for shown in (await panels.page()).values()} == {Freshness.HIT}
    clock.now += TTL_SECONDS * 0.1 + 2
    assert {shown.freshness for shown in (await panels.page()).values()} == {Freshness.MISS}
    assert [source.queries for source in sources.values()] == [2, 2, 2]
    many = Panels(*(Panel(str(n), sources["users"].compute) for n in range(50)), clock=clock)
    ends = {shown.ttl for shown in (await many.page()).values()}
    assert len(ends) > 2
    assert all(0.9 * TTL_SECONDS - 1 <= end <= TTL_SECONDS for end in ends)


async def test_what_fails_is_stale_with_its_age_and_the_reason(panels, sources, clock):
    await panels.page()
    sources["orders"].does = "fail"
    clock.now += TTL_SECONDS + 1
    page = await panels.page()
    assert page["orders"].freshness is Freshness.STALE
    assert (page["orders"].age, page["orders"].error) == (61, "ValueError: no such table")
    assert page["orders"].value["queries"] == 1
    assert "detail=stale-on-error" in page["orders"].cache_status
    assert (page["users"].freshness, page["users"].age) == (Freshness.MISS, 0)


async def test_what_failed_is_left_alone_for_a_while(panels, sources, clock):
    sources["orders"].does = "fail"
    for _ in range(5):
        page = await panels.page()
        assert (page["orders"].freshness, page["orders"].value) == (Freshness.MISSING, [])
    assert sources["orders"].queries == 1
    clock.now += RETRY_SECONDS
    sources["orders"].does = "answer"
    assert (await panels.page())["orders"].freshness is Freshness.MISS


async def test_one_stuck_and_one_failing_source_never_delay_the_page_beyond_the_deadline(panels, sources):
    sources["users"].does, sources["sizes"].does = "hang", "fail"
    async with asyncio.timeout(10):
        pages = await asyncio.gather(*(panels.page() for _ in range(200)))
    for page in pages:
        assert (page["users"].freshness, page["users"].error) == (Freshness.MISSING, "no answer within 0.3 s")
        assert page["sizes"].error == "ValueError: no such table"
        assert page["orders"].value == {"queries": 1, "days": 7}
    assert [source.queries for source in sources.values()] == [1, 1, 1]
    loop = asyncio.get_running_loop()
    before = loop.time()
    await panels.page()
    assert loop.time() - before < 0.3, "a stuck source is not waited for again at once"


async def test_a_stuck_source_has_one_query_at_a_time_and_comes_back(panels, sources, clock):
    sources["users"].does = "hang"
    for _ in range(3):
        await panels.page()
        clock.now += RETRY_SECONDS
    assert (sources["users"].queries, sources["users"].most) == (1, 1)
    sources["users"].gate.set()
    await asyncio.sleep(0.05)
    assert (await panels.page())["users"].freshness is Freshness.HIT


async def test_what_is_stale_for_too_long_is_missing(sources, clock):
    panels = Panels(Panel("users", sources["users"].compute, fallback="?"), stale=100, clock=clock)
    await panels.page()
    sources["users"].does = "fail"
    clock.now += 99
    assert (await panels.show("users")).freshness is Freshness.STALE
    clock.now += 10
    assert (await panels.show("users")).value == "?"


async def test_each_question_has_its_own_answer(panels, sources):
    assert (await panels.show("users", Query(30))).value["days"] == 30
    assert (await panels.show("users", Query(365))).value["days"] == 365
    assert sources["users"].queries == 2
    for days in (0, 366, -1):
        with pytest.raises(ValueError, match="from 1 to 365"):
            Query(days)


async def test_a_viewer_who_leaves_stops_nothing(panels, sources):
    viewer = asyncio.ensure_future(panels.show("users"))
    await asyncio.sleep(0)
    viewer.cancel()
    assert (await panels.show("users")).value["queries"] == 1
