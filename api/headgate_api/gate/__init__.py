"""The middleware: `from headgate_api.gate import GateMiddleware`. It imports the core only, no framework."""

from headgate_api.gate.middleware import GateMiddleware

__all__ = ["GateMiddleware"]
