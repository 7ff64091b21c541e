"""Every key that Headgate reads or writes: RQ's own under prefix `P`, ours under `H` = `P:hg:`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """Names of keys. `prefix` is RQ's (`RQ_KEY_PREFIX`); the scripts build the same names from it."""

    prefix: str = "rq"

    # ---- RQ's ----

    @property
    def queues(self) -> str:
        """SET of queue keys."""
        return f"{self.prefix}:queues"

    @property
    def suspended(self) -> str:
        """STRING, exists while RQ is suspended."""
        return f"{self.prefix}:suspended"

    @property
    def workers(self) -> str:
        """SET of worker keys."""
        return f"{self.prefix}:workers"

    def queue(self, queue: str) -> str:
        """LIST of job ids, head = left."""
        return f"{self.prefix}:queue:{queue}"

    def job(self, job_id: str) -> str:
        """HASH."""
        return f"{self.prefix}:job:{job_id}"

    def dependents(self, job_id: str) -> str:
        """SET of job ids that wait for this one."""
        return f"{self.prefix}:job:{job_id}:dependents"

    def dependencies(self, job_id: str) -> str:
        """SET of job ids this one waits for (two colons, as RQ writes it)."""
        return f"{self.prefix}:job::{job_id}:dependencies"

    def results(self, job_id: str) -> str:
        """STREAM of at most 10 results."""
        return f"{self.prefix}:results:{job_id}"

    def wip(self, queue: str) -> str:
        """ZSET `<job>:<execution>` by expiry in seconds: RQ's started registry."""
        return f"{self.prefix}:wip:{queue}"

    def finished(self, queue: str) -> str:
        """ZSET of job ids by expiry in seconds."""
        return f"{self.prefix}:finished:{queue}"

    def failed(self, queue: str) -> str:
        """ZSET of job ids by expiry in seconds."""
        return f"{self.prefix}:failed:{queue}"

    def scheduled(self, queue: str) -> str:
        """ZSET of job ids by due time in seconds."""
        return f"{self.prefix}:scheduled:{queue}"

    def execution(self, job_id: str, execution: str) -> str:
        """HASH id, job_id, created_at, last_heartbeat (epoch seconds), worker_name."""
        return f"{self.prefix}:execution:{job_id}:{execution}"

    def executions(self, job_id: str) -> str:
        """ZSET of execution ids by expiry in seconds."""
        return f"{self.prefix}:executions:{job_id}"

    def worker(self, slot: str) -> str:
        """HASH of one RQ worker; each of our slots is one."""
        return f"{self.prefix}:worker:{slot}"

    def worker_executions(self, slot: str) -> str:
        """SET of `<job>:<execution>`."""
        return f"{self.prefix}:worker:{slot}:executions"

    def workers_of(self, queue: str) -> str:
        """SET of worker keys that listen to the queue."""
        return f"{self.prefix}:workers:{queue}"

    def commands(self, slot: str) -> str:
        """CHANNEL of RQ's stop and shutdown commands."""
        return f"{self.prefix}:pubsub:{slot}"

    # ---- ours ----

    @property
    def own(self) -> str:
        """`H` without its last colon."""
        return f"{self.prefix}:hg"

    @property
    def meta(self) -> str:
        """HASH epoch, seq, clock (ms), quarantine_until (ms), full_at (us), revision, lost."""
        return f"{self.own}:meta"

    @property
    def owners(self) -> str:
        """HASH `<kind>/<name>` of a document -> JSON name, uid, generation, cluster, hash, revision, restored."""
        return f"{self.own}:owners"

    @property
    def unpublished(self) -> str:
        """SET of `<field of owners> <uid>` that were removed and no copy may bring back; expires after a day."""
        return f"{self.own}:unpublished"

    @property
    def draining(self) -> str:
        """SET of unpublished queues where something still runs."""
        return f"{self.own}:draining"

    @property
    def instances(self) -> str:
        """ZSET of instances by their last renewal (ms); lives 3 renewals."""
        return f"{self.own}:insts"

    def instance(self, instance: str) -> str:
        """HASH pod, queue, revision, slots, busy, at (ms); lives 3 renewals."""
        return f"{self.own}:inst:{instance}"

    @property
    def samples(self) -> str:
        """ZSET of instances by their last sample (ms), for 48 hours."""
        return f"{self.own}:samples"

    def sample(self, instance: str) -> str:
        """HASH of what a process said of itself each minute (`record_sample`), packed, for 48 hours."""
        return f"{self.own}:sample:{instance}"

    @property
    def http_secret(self) -> str:
        """STRING: what all API processes make identities with. It stays, as meta does."""
        return f"{self.own}:http-secret"

    def http(self, surface: str) -> str:
        """HASH revision, doc (JSON), `r<index>` and `n:<rule>`: each rule packed for `admit`."""
        return f"{self.own}:http:{surface}"

    def http_stats(self, surface: str) -> str:
        """HASH `a:`, `d:`, `s:`, `n:<rule>`: allowed, denied, shadowed, near; goes with the document."""
        return f"{self.own}:http:{surface}:stats"

    def http_denied(self, surface: str, rule: str) -> str:
        """HyperLogLog of the identities that the rule refused; goes with the document."""
        return f"{self.own}:http:{surface}:denied:{rule}"

    def http_identity(self, surface: str, rule: str, identity: str, part: str) -> str:
        """What one identity did under one rule: log, failed, starts, buckets, held or ban. Each expires by itself."""
        return f"{self.own}:h:{surface}/{rule}/{identity}:{part}"

    @property
    def apis(self) -> str:
        """ZSET of API processes by their last renewal (ms); lives 3 renewals."""
        return f"{self.own}:apis"

    def api(self, instance: str) -> str:
        """HASH pod, `s:<surface>` revision in use, `i:<surface>/<rule>` requests in flight; lives 3 renewals."""
        return f"{self.own}:api:{instance}"

    def report(self, digest: str) -> str:
        """STRING: the report of one request at a proxy was taken; lives as long as its id could be used."""
        return f"{self.own}:report:{digest}"

    def policy(self, queue: str) -> str:
        """HASH revision, gates (packed limits), doc (JSON), sleep (us); over, over_doc: an operator's override."""
        return f"{self.own}:policy:{queue}"

    def gate(self, queue: str, part: str) -> str:
        """A queue's own keys: held, starts, wait, rwait, keys, stats, and the lanes' mark, seen, open, shut, late."""
        return f"{self.own}:q:{queue}:{part}"

    def lane(self, queue: str, key: str | None) -> str:
        """LIST of job ids of one perKey key (None: jobs without one), in queue order."""
        return self.gate(queue, "lane:-" if key is None else f"lane:={key}")

    def key_gate(self, queue: str, key: str, part: str) -> str:
        """A perKey key's own: held (ZSET by lease end), starts (LIST ring) or buckets (STRING)."""
        return self.gate(queue, f"key:{part}:{key}")

    def task(self, task: str) -> str:
        """HASH revision, doc (JSON)."""
        return f"{self.own}:t:{task}"

    def task_run(self, task: str) -> str:
        """HASH of the run under way (run, fence, pod, tick, since, lease_end), of the last one, and of skips."""
        return f"{self.own}:t:{task}:run"

    def task_ticks(self, task: str) -> str:
        """ZSET of the newest 128 ticks that are settled: `r<ms>` ran, `s<ms>` skipped."""
        return f"{self.own}:t:{task}:ticks"

    def budget(self, name: str) -> str:
        """HASH total, reserved, limit, period (us), waiting, promised, sleep (us), revision, doc (JSON)."""
        return f"{self.own}:b:{name}"

    def budget_gate(self, name: str, part: str) -> str:
        """A budget's own keys: held, http, starts, wait, rwait."""
        return f"{self.own}:b:{name}:{part}"

    def worker_starts(self, instance: str) -> str:
        """LIST ring of one pod's starts (rate.perWorker)."""
        return f"{self.own}:w:{instance}:starts"

    def slot(self, slot: str) -> str:
        """HASH of the last claim's nonce and grant, the last finish, and the counters last added to RQ's."""
        return f"{self.own}:slot:{slot}"

    def wake(self, instance: str) -> str:
        """CHANNEL: a freed place, claim now."""
        return f"{self.own}:wake:{instance}"

    def idempotency(self, queue: str, key: str) -> str:
        """STRING job id, 24 hours."""
        return f"{self.own}:idem:{queue}:{key}"
