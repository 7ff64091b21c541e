"""`record_sample` and `read_samples` of the reference: the same bounds, nothing packed."""

from __future__ import annotations

from dataclasses import replace

from headgate.gates import samples
from headgate.gates.model.state import Store
from headgate.gates.samples import Process, Requests, Sample, Samples, Use

MOST_PROCESSES = 1_000
KEEP_MS = samples.KEEP_MINUTES * 60_000


def record(store: Store, sample: Sample) -> None:
    now = store.now
    before = store.samples.pop(sample.instance, None)
    uses = list(before.uses) if before else []
    if sample.memory_mib:
        uses.append(Use(now // 60_000, _short(sample.memory_mib), _short(round(sample.cpu * 1000)) / 1000))
    series = {name: list(found) for name, found in before.requests.items()} if before else {}
    for each in sample.requests[: samples.MAX_SERIES]:
        kept = Requests(each.series, each.count, _short(each.p50_ms), _short(each.p99_ms))
        series[each.series] = [*series.get(each.series, ()), (now // 60_000, kept)][-samples.KEEP_MINUTES :]
    store.samples[sample.instance] = Process(
        sample.instance,
        sample.kind,
        sample.pod,
        sample.host,
        sample.subject,
        round(sample.processors * 100) / 100,
        started=before.started if before else now - sample.age_ms,
        last=now,
        ended=now if sample.goodbye else 0,
        beats=False,
        uses=uses[-samples.KEEP_MINUTES :],
        requests=series,
    )
    old = [name for name, found in store.samples.items() if found.last <= now - KEEP_MS]
    for name in old:
        del store.samples[name]
    for name in list(store.samples)[: max(0, len(store.samples) - MOST_PROCESSES)]:
        del store.samples[name]


def read(store: Store, since: int) -> Samples:
    first = since // 60_000
    return Samples(
        store.now,
        [
            replace(
                found,
                beats=store.is_alive(found.instance),
                uses=[use for use in found.uses if use.minute >= first],
                requests={
                    name: [each for each in series if each[0] >= first] for name, series in found.requests.items()
                },
            )
            for found in store.samples.values()
            if found.last >= max(since, store.now - KEEP_MS + 1)
        ],
    )


def _short(number: int) -> int:
    return min(max(number, 0), samples.MOST)
