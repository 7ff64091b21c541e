"""What this operator finds out before it acts: whose documents are its own, and whether templates are guarded."""

from __future__ import annotations

import structlog

from headgate.control.ports import PERIODIC_TASK, QUEUE_POLICY, Kind, Manifest
from headgate.control.stores import Site
from headgate.errors import InvalidInput, Rejected
from headgate_operator.cluster import ApiServer, NotFound, path_of
from headgate_operator.settings import Settings

NAMESPACE = Kind("", "v1", "namespaces", "Namespace")
ADMISSION_POLICY = Kind(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy"
)
ADMISSION_BINDING = Kind(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"
)
ADMISSION_NAME = "worker-template.headgate.dev"
"""Of both, as deploy/admission has them."""

log = structlog.get_logger(__name__)


async def survey(api: ApiServer, settings: Settings) -> Site:
    """Raises InvalidInput when the cluster cannot be told apart from others, ClusterError when nobody answers."""
    guarded = await _templates_are_guarded(api)
    if not guarded:
        log.warning(
            "Worker templates take only labels, resources and scheduling",
            reason=f"ValidatingAdmissionPolicy {ADMISSION_NAME} and its binding are not there or cannot be read",
        )
    return Site(
        stores=settings.stores.stores,
        worker_defaults=settings.stores.worker_defaults,
        cluster_id=settings.cluster_id or await _cluster_id(api, settings),
        own_namespace=settings.lease_namespace,
        admission_policy=guarded,
    )


async def _cluster_id(api: ApiServer, settings: Settings) -> str:
    """The uid of kube-system; an operator with Roles only cannot read it and takes its own namespace's."""
    name = settings.lease_namespace if settings.namespaces else "kube-system"
    try:
        found: Manifest = await api.call("GET", path_of(NAMESPACE, name=name), resource=NAMESPACE.plural)
    except (Rejected, NotFound) as error:
        raise InvalidInput(
            f"the uid of namespace {name} tells this cluster from others, and it cannot be read ({error}): "
            "grant `get` on it as deploy/rbac does, or set HEADGATE_CLUSTER_ID to a name of this cluster"
        ) from error
    return str(found["metadata"]["uid"])


async def _templates_are_guarded(api: ApiServer) -> bool:
    """The policy is there and bound to deny, everywhere."""
    policy = await _read(api, ADMISSION_POLICY)
    rules = (policy or {}).get("spec", {}).get("matchConstraints", {}).get("resourceRules", ())
    asked = {resource for rule in rules for resource in rule.get("resources", ())}
    if not asked >= {QUEUE_POLICY.plural, PERIODIC_TASK.plural}:
        return False  # not there, or of a version before periodic tasks
    binding = (await _read(api, ADMISSION_BINDING) or {}).get("spec", {})
    return (
        binding.get("policyName") == ADMISSION_NAME
        and "Deny" in binding.get("validationActions", ())
        and "matchResources" not in binding
    )


async def _read(api: ApiServer, kind: Kind) -> Manifest | None:
    try:
        found: Manifest = await api.call("GET", path_of(kind, name=ADMISSION_NAME), resource=kind.plural)
    except (NotFound, Rejected):
        return None
    return found
