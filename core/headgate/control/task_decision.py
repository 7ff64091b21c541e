"""What is to be done about one PeriodicTask: a pure function of the facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headgate.control.checks import unknown_store
from headgate.control.ports import CRON_JOB, Key, Manifest
from headgate.control.stores import Site, StoreEntry
from headgate.desired.children import Child
from headgate.desired.cron_job import cron_job
from headgate.desired.documents import task_document
from headgate.desired.forbidden import WHERE, refusals
from headgate.desired.shape import misshapen
from headgate.desired.wanted_task import WantedTask
from headgate.errors import InvalidInput
from headgate.model.documents import TaskDocument
from headgate.model.periodic_task import PeriodicTask
from headgate.model.queue_policy import QueuePolicy
from headgate.schedule import parsed
from headgate.status import reasons
from headgate.status.conditions import Verdict


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """`task` None: the spec breaks a rule, `mistakes` says which. `policy`: the one that it names, if there is one."""

    key: Key
    manifest: Manifest
    task: PeriodicTask | None
    mistakes: str
    policy: QueuePolicy | None
    store: StoreEntry | None
    cron_job: Manifest | None
    foreign: bool
    leaving: bool


@dataclass(frozen=True, slots=True)
class TaskDecision:
    """Without a document and a child, what is published and scheduled stays as it is."""

    accepted: Verdict
    document: TaskDocument | None = None
    child: Child | None = None


def decide_task(facts: TaskFacts, site: Site) -> TaskDecision:
    """The first check that finds something decides; when none does, the spec is in use."""
    task = facts.task
    if task is None:
        return TaskDecision(Verdict(reasons.INVALID_SPEC, facts.mistakes))
    for check in CHECKS:
        verdict = check(facts, task, site)
        if verdict:
            return TaskDecision(verdict)
    queue = facts.policy.queue if facts.policy else None
    manifest = cron_job(_wanted(facts, task, site))
    return TaskDecision(Verdict(reasons.VALID), task_document(task, queue), Child(CRON_JOB, manifest))


def store_is_unknown(facts: TaskFacts, task: PeriodicTask, site: Site) -> Verdict | None:
    return None if facts.store else unknown_store(task.spec.store, task.metadata.namespace, site)


def the_schedule_is_none(_: TaskFacts, task: PeriodicTask, __: Site) -> Verdict | None:
    try:
        parsed(task.spec.schedule, task.spec.time_zone)
    except InvalidInput as error:
        return Verdict(reasons.INVALID_SCHEDULE, str(error))
    return None


def its_policy_is_missing(facts: TaskFacts, task: PeriodicTask, _: Site) -> Verdict | None:
    ref = task.spec.queue_policy_ref
    if ref is None or facts.policy:
        return None
    where = f"{task.metadata.namespace}/{ref.name}"
    sentence = f"spec.queuePolicyRef.name: there is no QueuePolicy {where} that can be read, create or correct it."
    return Verdict(reasons.QUEUE_POLICY_NOT_FOUND, sentence)


def its_policy_is_elsewhere(facts: TaskFacts, task: PeriodicTask, _: Site) -> Verdict | None:
    policy = facts.policy
    if policy is None or policy.spec.store == task.spec.store:
        return None
    sentence = (
        f"spec.store: QueuePolicy {policy.metadata.name} is in store {policy.spec.store}, this task in "
        f"{task.spec.store}: name the same store in both."
    )
    return Verdict(reasons.STORE_MISMATCH, sentence)


def its_function_is_not_allowed(facts: TaskFacts, task: PeriodicTask, site: Site) -> Verdict | None:
    """A list binds whoever uses the policy. Without the admission policy there must be one: a task calls anything."""
    policy, name = facts.policy, task.spec.function
    allowed = policy.spec.jobs.functions if policy else None
    if (allowed is None and site.admission_policy) or (allowed and name in allowed):
        return None
    if policy is None:
        sentence = (
            "spec.queuePolicyRef: missing, and while the admission policy is not installed a task may call only what "
            "jobs.functions of a QueuePolicy lists; name one, or ask the administrator for the admission policy."
        )
    else:
        sentence = f"spec.function: {name} is not in jobs.functions of QueuePolicy {policy.metadata.name}, add it."
    return Verdict(reasons.FUNCTION_NOT_ALLOWED, sentence)


def the_template_is_no_pod(facts: TaskFacts, task: PeriodicTask, site: Site) -> Verdict | None:
    wanted = _wanted(facts, task, site)
    wrong = list(misshapen(wanted.as_workers.template_spec, where=f"{wanted.where}.spec"))
    return Verdict(reasons.TEMPLATE_INVALID, "\n".join(wrong)) if wrong else None


def the_template_is_forbidden(facts: TaskFacts, task: PeriodicTask, site: Site) -> Verdict | None:
    wanted = _wanted(facts, task, site)
    refused = refusals(wanted.as_workers, own_namespace=site.own_namespace, admission_policy=site.admission_policy)
    sentences = "\n".join(sentence.replace(WHERE, wanted.where) for sentence in refused)
    return Verdict(reasons.TEMPLATE_FORBIDDEN, sentences) if refused else None


def no_image_is_named(facts: TaskFacts, task: PeriodicTask, site: Site) -> Verdict | None:
    wanted = _wanted(facts, task, site)
    if wanted.as_workers.image:
        return None
    sentence = (
        f"{wanted.where}.spec.containers[worker].image: missing, and namespace {task.metadata.namespace} has no worker "
        "default for it; name the image that has your application and headgate in it."
    )
    return Verdict(reasons.IMAGE_MISSING, sentence)


Check = Callable[[TaskFacts, PeriodicTask, Site], Verdict | None]
CHECKS: tuple[Check, ...] = (
    store_is_unknown,  # without a store nothing else can be said
    the_schedule_is_none,
    its_policy_is_missing,
    its_policy_is_elsewhere,
    the_template_is_no_pod,  # before anybody reads into it
    the_template_is_forbidden,
    its_function_is_not_allowed,
    no_image_is_named,
)


def _wanted(facts: TaskFacts, task: PeriodicTask, site: Site) -> WantedTask:
    if facts.store is None:
        raise AssertionError("checks that look at the pods come after the one for the store")
    return WantedTask(task, facts.policy, facts.store, site.defaults_for(task.metadata.namespace))
