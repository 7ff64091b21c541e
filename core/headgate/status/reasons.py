"""Every reason that a condition can have: what it means, what to do. docs/reference and docs/runbook come from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["True", "False", "Unknown"]
ACCEPTED, ENFORCED, WORKERS_READY = "Accepted", "Enforced", "WorkersReady"
THROTTLED, DEGRADED, READY = "Throttled", "Degraded", "Ready"
SCHEDULED, HEALTHY = "Scheduled", "Healthy"


@dataclass(frozen=True, slots=True)
class Reason:
    """`announced`: an Event tells of it (Warning when `warns`); passing states are not worth one."""

    condition: str
    status: Status
    name: str
    meaning: str
    action: str
    warns: bool = False
    announced: bool = True


NOTHING = "Nothing to do."
WAIT = "Nothing to do; it passes."

VALID = Reason(ACCEPTED, "True", "Valid", "The spec is in use.", NOTHING, announced=False)
INVALID_SPEC = Reason(
    ACCEPTED,
    "False",
    "InvalidSpec",
    "The spec breaks a rule. The last good limits stay in force.",
    "Correct the fields that the message names.",
    warns=True,
)
QUEUE_CONFLICT = Reason(
    ACCEPTED,
    "False",
    "QueueConflict",
    "Another policy declares this queue of this store: the older one rules, in whatever namespace it is.",
    "Delete one of the two, or give this one another queue.",
    warns=True,
)
SURFACE_CONFLICT = Reason(
    ACCEPTED,
    "False",
    "SurfaceConflict",
    "Another policy declares this HTTP surface of this store: the older one rules, in whatever namespace it is.",
    "Delete one of the two, or give this one another surface.",
    warns=True,
)
NEEDS_MIDDLEWARE = Reason(
    ACCEPTED,
    "False",
    "NeedsMiddleware",
    "A proxy asks for this surface at /authz and never tells how a request ends, which inFlight, count: Failures and "
    "a Budget's concurrency need to know. The last good limits stay in force.",
    "Let the proxy call /report, or install GateMiddleware in the application, or take these fields out of the rule.",
    warns=True,
)
BUDGET_NOT_FOUND = Reason(
    ACCEPTED,
    "False",
    "BudgetNotFound",
    "A budgetRef names a Budget that is not in this namespace. The last good limits stay in force.",
    "Create the Budget, or remove the reference.",
    warns=True,
)
STORE_UNKNOWN = Reason(
    ACCEPTED,
    "False",
    "StoreUnknown",
    "spec.store names no store that this namespace may use.",
    "Name one of those that the message lists, or ask the administrator for it.",
    warns=True,
)
STORE_MISMATCH = Reason(
    ACCEPTED,
    "False",
    "StoreMismatch",
    "A budget lives in another store than this policy, so no step can check both. The last good limits stay in force.",
    "Declare the Budget with the store of the policy.",
    warns=True,
)
IMAGE_MISSING = Reason(
    ACCEPTED,
    "False",
    "ImageMissing",
    "Neither the template nor the namespace's worker defaults name an image.",
    "Set the image of the container named worker in spec.workers.template.",
    warns=True,
)
INVALID_SCHEDULE = Reason(
    ACCEPTED,
    "False",
    "InvalidSchedule",
    "spec.schedule or spec.timeZone is not what the CronJob controller reads. The last good CronJob stays.",
    "Correct what the message names.",
    warns=True,
)
QUEUE_POLICY_NOT_FOUND = Reason(
    ACCEPTED,
    "False",
    "QueuePolicyNotFound",
    "queuePolicyRef names a QueuePolicy that is not in this namespace, or that breaks a rule.",
    "Create or correct the QueuePolicy, or give the task a template of its own.",
    warns=True,
)
FUNCTION_NOT_ALLOWED = Reason(
    ACCEPTED,
    "False",
    "FunctionNotAllowed",
    "The function does not stand in jobs.functions of the QueuePolicy that the task names.",
    "Add it to jobs.functions there, or correct spec.function.",
    warns=True,
)
TEMPLATE_FORBIDDEN = Reason(
    ACCEPTED,
    "False",
    "TemplateForbidden",
    "The worker template asks for what Headgate lends to nobody, or sets what is Headgate's own.",
    "Remove the fields that the message names.",
    warns=True,
)
TEMPLATE_INVALID = Reason(
    ACCEPTED,
    "False",
    "TemplateInvalid",
    "The API server refuses the objects that this template makes; the message is its own.",
    "Correct spec.workers.template.",
    warns=True,
)

ALL_ACKNOWLEDGED = Reason(
    ENFORCED,
    "True",
    "AllAcknowledged",
    "The store holds this spec, and every worker or API process that must act has it in use.",
    NOTHING,
    announced=False,
)
NO_INSTANCES = Reason(
    ENFORCED,
    "True",
    "NoInstances",
    "The store holds this spec; no worker or API process has to act.",
    NOTHING,
    announced=False,
)
PUBLISHED = Reason(ENFORCED, "True", "Published", "The store holds this budget.", NOTHING, announced=False)
UNREFERENCED = Reason(
    ENFORCED,
    "True",
    "Unreferenced",
    "The store holds this budget; no policy names it.",
    "Name it in a policy's budgetRefs, or delete it.",
    announced=False,
)
NOT_PUBLISHED = Reason(
    ENFORCED,
    "False",
    "NotPublished",
    "The store does not hold this spec: what it held before stays in force.",
    "See the message: an earlier condition, a store that refuses, or another owner.",
    announced=False,
)
PARTIALLY_ACKNOWLEDGED = Reason(
    ENFORCED,
    "False",
    "PartiallyAcknowledged",
    "Some workers or API processes have not yet taken this revision. Limits hold already; what a process holds itself "
    "(slots, functions, deadlines; timeouts, body limits, trusted proxies) may not.",
    "Wait 10 s. If it stays, look at the log of the worker or API process.",
    announced=False,
)
FOREIGN_WORKERS = Reason(
    ENFORCED,
    "False",
    "ForeignWorkers",
    "A worker that is not Headgate's serves this queue and passes every gate by.",
    "Stop it: a stock `rq worker`, often the Deployment from before.",
    warns=True,
)
SHADOW = Reason(
    ENFORCED,
    "False",
    "Shadow",
    "mode is Shadow: what would be refused is counted and starts.",
    "Set mode: Enforce when the counts look right.",
    announced=False,
)
STORE_UNREACHABLE = Reason(
    ENFORCED,
    "Unknown",
    "StoreUnreachable",
    "The store has not answered for 15 s. While it is away no job starts, and requests are as onStoreFailure says.",
    "Bring the store back; everything else recovers by itself.",
    warns=True,
)

MINIMUM_AVAILABLE = Reason(
    WORKERS_READY, "True", "MinimumAvailable", "All wanted workers are available.", NOTHING, announced=False
)
SCALED_TO_ZERO = Reason(
    WORKERS_READY,
    "True",
    "ScaledToZero",
    "No worker is wanted.",
    "Raise workers.replicas to run jobs.",
    announced=False,
)
PROGRESSING = Reason(WORKERS_READY, "False", "Progressing", "Workers are being started.", WAIT, announced=False)
UNAVAILABLE = Reason(
    WORKERS_READY,
    "False",
    "Unavailable",
    "Fewer workers are available than wanted, and starting them got stuck.",
    "Look at the pods: image, Secret of the store, resources, crashes.",
    warns=True,
)
QUOTA_EXCEEDED = Reason(
    WORKERS_READY,
    "False",
    "QuotaExceeded",
    "A ResourceQuota of the namespace refuses worker pods.",
    "Raise the quota, or lower replicas or resources.",
    warns=True,
)
NOT_OWNED = Reason(
    WORKERS_READY,
    "False",
    "NotOwned",
    "An object that Headgate did not make has the name of a worker object; it is left alone.",
    "Delete or rename it, or rename the policy.",
    warns=True,
)
NOT_RECONCILED = Reason(
    WORKERS_READY, "Unknown", "NotReconciled", "There are no workers yet.", "See Accepted.", announced=False
)

CONCURRENCY_TOTAL = Reason(
    THROTTLED,
    "True",
    "ConcurrencyTotal",
    "concurrency.total holds jobs back.",
    "Raise it if what it protects can bear more.",
)
RATE_TOTAL = Reason(
    THROTTLED, "True", "RateTotal", "rate.total holds jobs back.", "Raise it if what it protects can bear more."
)
PER_KEY = Reason(
    THROTTLED,
    "True",
    "PerKey",
    "All jobs that wait belong to keys that are at their limit.",
    "Raise perKey if a single tenant may take more.",
)
BUDGET = Reason(
    THROTTLED, "True", "Budget", "A shared budget holds jobs back.", "See who holds it: headgate explain QUEUE."
)
WORKER_RATE = Reason(
    THROTTLED,
    "True",
    "WorkerRate",
    "rate.perWorker holds jobs back.",
    "Set rate.perWorker (its default is 10 starts a second for each slot), or add workers.",
)
MEMORY = Reason(
    THROTTLED,
    "True",
    "Memory",
    "All workers are above workers.memory.holdAbovePercent and start nothing.",
    "Give the workers more memory or fewer slots, or set recycleSlotAboveMiB if slots grow.",
)
DEFERRED = Reason(THROTTLED, "True", "Deferred", "A job said RateLimited: the queue, key or budget sleeps.", WAIT)
HELD_BACK = Reason(
    THROTTLED, "True", "Held", "stopPolicy, or rq suspend, lets nothing start.", "Set stopPolicy: None, or rq resume."
)
FREE = Reason(THROTTLED, "False", "Free", "Nothing has been held back for a minute.", NOTHING, announced=False)
THROTTLE_UNKNOWN = Reason(
    THROTTLED,
    "Unknown",
    "StoreUnreachable",
    "The store has not answered for 15 s.",
    "Bring the store back.",
    announced=False,
)

STORE_EVICTS = Reason(
    DEGRADED,
    "True",
    "StoreEvicts",
    "The store is set up so that it must not be used: it evicts keys, or is too old.",
    "Change what the message names.",
    warns=True,
)
QUARANTINE = Reason(
    DEGRADED,
    "True",
    "Quarantine",
    "The store lost data or its clock. Nothing starts for one lease, while workers say again what they run.",
    "It passes. Find out why data was lost: a restart without persistence, a failover, a restored backup.",
    warns=True,
)
DRIFT_FIGHT = Reason(
    DEGRADED,
    "True",
    "DriftFight",
    "Somebody keeps changing a worker object that Headgate keeps repairing.",
    "Stop the other writer: managedFields of the object names it.",
    warns=True,
)
SCALE_FIGHT = Reason(
    DEGRADED,
    "True",
    "ScaleFight",
    "Somebody else writes workers.replicas while autoscaling is set.",
    "Remove autoscaling, or the other autoscaler.",
    warns=True,
)
POISON_JOBS = Reason(
    DEGRADED,
    "True",
    "PoisonJobs",
    "Jobs were taken out because each lost maxLosses workers.",
    "See RQ's failed registry (`rq info`, rq-dashboard) for the reason; correct the job, then requeue or delete it.",
    warns=True,
)
NO_SCHEDULER = Reason(
    DEGRADED,
    "True",
    "NoScheduler",
    "Jobs are due, and no worker runs that would put them into the queue.",
    "Raise workers.replicas, or see WorkersReady.",
    warns=True,
)
AS_EXPECTED = Reason(DEGRADED, "False", "AsExpected", "Nothing is wrong.", NOTHING, announced=False)

CRON_JOB_APPLIED = Reason(SCHEDULED, "True", "CronJobApplied", "The CronJob is as declared.", NOTHING, announced=False)
SUSPENDED = Reason(
    SCHEDULED,
    "False",
    "Suspended",
    "stopPolicy is Hold: nothing starts, and what runs goes on.",
    "Set stopPolicy: None to go on.",
)
CRON_JOB_NOT_OWNED = Reason(
    SCHEDULED,
    "False",
    "NotOwned",
    "A CronJob of this name exists that Headgate did not make.",
    "Delete or rename it, or rename the task.",
    warns=True,
)
TASK_NOT_PUBLISHED = Reason(
    SCHEDULED,
    "False",
    "NotPublished",
    "The store does not hold this spec yet, and a run that the store does not know does not start.",
    "See the message; it is tried again when the store answers.",
    warns=True,
)
NOT_SCHEDULED = Reason(
    SCHEDULED,
    "Unknown",
    "NotReconciled",
    "There is no CronJob yet.",
    "See Accepted.",
    announced=False,
)
LAST_RUN_SUCCEEDED = Reason(HEALTHY, "True", "LastRunSucceeded", "The last run succeeded.", NOTHING, announced=False)
NEVER_RAN = Reason(HEALTHY, "True", "NeverRan", "No run has ended yet.", NOTHING, announced=False)
LAST_RUN_FAILED = Reason(
    HEALTHY,
    "False",
    "LastRunFailed",
    "The last run failed, took longer than deadlineSeconds, or was lost with its pod.",
    "See the log of its pod: kubectl logs -l headgate.dev/periodic-task=NAME.",
    warns=True,
)
SKIPS_EVERY_RUN = Reason(
    HEALTHY,
    "False",
    "SkipsEveryRun",
    "Each run takes so long that the schedule comes again while it runs: ticks are skipped in every cycle.",
    "Give it a wider schedule, or make it faster: what it does is late by the time it takes.",
    warns=True,
)
HEALTH_UNKNOWN = Reason(
    HEALTHY,
    "Unknown",
    "StoreUnreachable",
    "The store that knows the runs does not answer.",
    "See the operator's log and the store.",
    announced=False,
)

IN_FORCE = Reason(READY, "True", "InForce", "The limits are in force, and a queue's workers run.", NOTHING)
HELD = Reason(
    READY,
    "True",
    "Held",
    "In force, and stopPolicy lets nothing start.",
    "Set stopPolicy: None to go on.",
    announced=False,  # Throttled is
)
READY_SHADOW = Reason(READY, "True", "Shadow", "The workers run, and limits are only counted.", "Set mode: Enforce.")

REASONS: tuple[Reason, ...] = tuple(value for value in globals().values() if isinstance(value, Reason))
"""All of them, in the order above. Ready takes over the reason of what fails first."""
