"""A control plane with Headgate installed as deploy/ says, an empty store, and operators that end with their test."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.control.ports import KINDS
from headgate.gates.door import Door
from headgate.gates.http import RequestsBeat
from headgate.gates.verbs import Owner, StoreState
from headgate.model.documents import Document, HttpDocument, QueueDocument
from headgate_operator.cluster import path_of

from .api_proxy import ApiProxy, api_proxy
from .control_plane import ControlPlane, ControlPlaneError
from .operator_process import ACCOUNT, NAMESPACE, OperatorProcess, until

DEPLOY = Path(__file__).parents[2] / "deploy"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/headgate-operator"
KIND = {kind.kind.lower(): kind for kind in KINDS}
CHILDREN = ("deployment", "poddisruptionbudget", "networkpolicy", "serviceaccount")


class World:
    """One namespace of the cluster and one store, as a user and an administrator see them."""

    def __init__(self, control_plane: ControlPlane, namespace: str, store_url: str) -> None:
        self.control_plane = control_plane
        self.namespace = namespace
        self.store_url = store_url

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.control_plane.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def apply(self, *manifests: str) -> None:
        """As a user's `kubectl apply -f -`: the API server judges it."""
        self.kubectl("apply", "-f", "-", stdin="\n---\n".join(manifests))

    def patch(self, resource: str, **spec: Any) -> None:
        """A merge patch of the spec, by somebody who is not the operator."""
        self.kubectl("patch", resource, "--type=merge", "-p", json.dumps({"spec": spec}))

    def get(self, resource: str) -> dict[str, Any] | None:
        """`kind/name` as stored, None when there is none."""
        kind, name = resource.split("/")
        try:
            return self.control_plane.request("GET", path_of(KIND[kind], self.namespace, name))
        except ControlPlaneError as error:
            if error.status == 404:
                return None
            raise

    def status(self, policy: str) -> dict[str, Any]:
        return (self.get(f"queuepolicy/{policy}") or {}).get("status", {})

    def condition(self, resource: str, type_: str) -> tuple[str, str]:
        """(status, reason) of a condition that judges the present generation; ("", "") before that."""
        found = self.get(resource) or {}
        for each in found.get("status", {}).get("conditions", ()):
            if each["type"] == type_ and each["observedGeneration"] == found["metadata"]["generation"]:
                return each["status"], each["reason"]
        return "", ""

    def message(self, resource: str, type_: str) -> str:
        conditions = (self.get(resource) or {}).get("status", {}).get("conditions", ())
        return next((str(each["message"]) for each in conditions if each["type"] == type_), "")

    def await_condition(self, resource: str, type_: str, status: str, reason: str, seconds: float = 30.0) -> None:
        def holds() -> bool:
            return self.condition(resource, type_) == (status, reason)

        try:
            until(holds, "", seconds)
        except AssertionError:
            found = json.dumps((self.get(resource) or {}).get("status"), indent=1)
            raise AssertionError(f"{resource}: {type_} is not {status}/{reason} after {seconds:g} s: {found}") from None

    def document(self, queue: str) -> QueueDocument | None:
        """What the store holds for a queue."""
        with contextlib.closing(Door(self.store_url)) as door:
            found = door.read_document(queue)
        return found[1] if found else None

    def http_document(self, surface: str) -> HttpDocument | None:
        """What the store holds for a surface."""
        with contextlib.closing(Door(self.store_url)) as door:
            found = door.read_http(surface)
        return found[1] if found else None

    def publish(self, document: Document, owner: Owner) -> None:
        """As another cluster or a person does."""
        with contextlib.closing(Door(self.store_url)) as door:
            door.publish(document, owner)

    def serve(self, surface: str, instance: str, revision: int) -> None:
        """As an API process does every few seconds."""
        with contextlib.closing(Door(self.store_url)) as door:
            door.renew_requests(RequestsBeat(instance, instance, {surface: revision}, ()))

    def store(self) -> StoreState:
        with contextlib.closing(Door(self.store_url)) as door:
            return door.inspect()

    def picture(self) -> dict[str, Any]:
        """All that the operator made here, without what differs between two equal runs."""
        children = {
            f"{kind}/{item['metadata']['name']}": _lasting(item) for kind in CHILDREN for item in self._all(kind)
        }
        with contextlib.closing(Door(self.store_url)) as door:
            state = door.inspect()
            owners = {field: owner.name for field, owner in state.owners.items()}
            documents = {queue: door.read_document(queue) for queue in sorted(state.queues)}
        statuses = {item["metadata"]["name"]: _judgement(item) for item in self._all("queuepolicy")}
        return {"children": children, "owners": owners, "documents": _numbers(documents), "statuses": statuses}

    def _all(self, kind: str) -> list[dict[str, Any]]:
        items = self.control_plane.request("GET", path_of(KIND[kind], self.namespace))["items"]
        return [item for item in items if item["metadata"]["name"] != "default"]


def _lasting(item: dict[str, Any]) -> dict[str, Any]:
    metadata = item["metadata"]
    owners = [(each["kind"], each["name"], each.get("controller")) for each in metadata.get("ownerReferences", ())]
    annotations = {k: v for k, v in metadata.get("annotations", {}).items() if "hash" not in k and "revision" not in k}
    return {"labels": metadata.get("labels"), "annotations": annotations, "owners": owners, "spec": item.get("spec")}


def _judgement(item: dict[str, Any]) -> dict[str, Any]:
    status = item.get("status", {})
    conditions = {each["type"]: (each["status"], each["reason"]) for each in status.get("conditions", ())}
    return {"conditions": conditions, "limits": status.get("limits"), "capacity": status.get("capacity")}


def _numbers(documents: dict[str, Any]) -> dict[str, Any]:
    return {queue: found[1].model_dump() for queue, found in documents.items() if found}


@pytest.fixture(scope="session")
def installed(control_plane: ControlPlane) -> ControlPlane:
    install(control_plane)
    return control_plane


def install(control_plane: ControlPlane) -> None:
    """CRDs, the operator's namespace and account, its exact rights, the admission policy."""
    control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(DEPLOY / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    for manifest in yaml.safe_load_all((DEPLOY / "operator.yaml").read_text()):
        if manifest["kind"] in ("Namespace", "ServiceAccount"):
            control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    control_plane.kubectl("apply", "-f", str(DEPLOY / "rbac" / "cluster.yaml"), "-f", str(DEPLOY / "admission"))


@pytest.fixture
def world(installed: ControlPlane, namespace: str, valkey_url: str) -> Iterator[World]:
    """Its policies are gone before the next test: they would be older claims on the same queues."""
    made = World(installed, namespace, valkey_url)
    yield made
    made.kubectl("delete", "queuepolicy,httppolicy,budget,periodictask", "--all")


@pytest.fixture
def account(installed: ControlPlane) -> Path:
    """A kubeconfig of the operator's ServiceAccount."""
    return installed.kubeconfig_for_service_account(NAMESPACE, ACCOUNT)


@pytest.fixture
def free_lease(installed: ControlPlane) -> Iterator[None]:
    """No operator of an earlier test holds the Lease."""
    _delete_lease(installed)
    yield
    _delete_lease(installed)


@pytest.fixture
def new_operator(
    account: Path, free_lease: None, valkey_url: str, tmp_path: Path
) -> Iterator[Callable[..., OperatorProcess]]:
    """Makes operators that are not started yet; their environment can be changed by keyword."""
    made: list[OperatorProcess] = []

    def make(name: str = "one", kubeconfig: Path = account, **environ: str) -> OperatorProcess:
        made.append(OperatorProcess(name, tmp_path, kubeconfig, valkey_url, **environ))
        return made[-1]

    yield make
    for each in made:
        each.kill()
        print(each.log[-8000:])


@pytest.fixture
def operator(new_operator: Callable[..., OperatorProcess]) -> OperatorProcess:
    """One that leads and has seen everything."""
    process = new_operator().start()
    until(lambda: process.settled, "the operator leads and has listed everything")
    return process


@pytest.fixture
def proxy(installed: ControlPlane) -> Iterator[ApiProxy]:
    with api_proxy(installed.url, installed.certificate) as running:
        yield running


@pytest.fixture
def through_proxy(proxy: ApiProxy, account: Path, tmp_path: Path) -> Path:
    """The operator's kubeconfig, with the proxy in place of the API server."""
    content = json.loads(account.read_text())
    content["clusters"][0]["cluster"] = {"server": proxy.url}
    path = tmp_path / "through-proxy.json"
    path.write_text(json.dumps(content))
    return path


def _delete_lease(control_plane: ControlPlane) -> None:
    try:
        control_plane.request("DELETE", LEASE)
    except ControlPlaneError as error:
        if error.status != 404:
            raise
