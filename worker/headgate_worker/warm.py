"""What every slot would otherwise make for itself: made once in the template, before it is frozen and shared."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - the first host name that is resolved imports it
import gc

from rq.job import Job

from headgate.gates import client
from headgate.gates.door import Door
from headgate.gates.scripts import scripts
from headgate.model.documents import QueueDocument
from headgate_worker.rules import rules_of


def warm(url: str, prefix: str) -> None:
    """Run once what slots run, without any connection: caches are filled, lazily made objects exist."""
    scripts()
    Door(url, prefix).close()
    connection = client.connect(url)
    document = QueueDocument.model_validate_json(QueueDocument(queue="warm").model_dump_json())
    rules_of(0, document, 1)
    Job.create("warm.up", id="warm", connection=connection).to_dict()
    connection.close()


def freeze() -> None:
    """Everything that exists now is shared by the children: the collector never looks at it again."""
    gc.collect()
    gc.freeze()
