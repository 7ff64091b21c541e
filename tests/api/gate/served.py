"""What `uvicorn tests.api.gate.served:app` serves: the backend behind the gate, set up by the environment alone."""

from __future__ import annotations

from headgate_api.gate import GateMiddleware
from tests.api.gate.backend import app as backend

app = GateMiddleware(backend)
