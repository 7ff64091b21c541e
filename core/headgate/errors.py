"""The few errors Headgate raises: each says what is wrong, where, and what would be right."""


class HeadgateError(Exception):
    """Base of all of them. `str(error)` is one sentence for a person."""


class InvalidInput(HeadgateError):
    """A user's mistake: retrying cannot help. Names the field, the value and the remedy."""


class StoreUnavailable(HeadgateError):
    """The store does not answer, or answers READONLY, LOADING, MASTERDOWN, MISCONF or BUSY. Retry with backoff."""


class StoreFull(StoreUnavailable):
    """The store is above `maxmemory`: it starts nothing and takes nothing new; what runs can still finish."""


class StoreUnsuitable(HeadgateError):
    """The store answers but must not be used: too old, or it evicts keys. Names the setting to change."""


class NewerDocument(HeadgateError):
    """The store holds a document of a later version, with what this program does not know. Update it."""


class ClusterError(HeadgateError):
    """The Kubernetes API failed in a way that a later try may cure."""


class Conflict(ClusterError):
    """409: somebody else wrote first. Read again and decide again."""


class Rejected(ClusterError):
    """422 or 403: the API server refuses the object itself. `str` is the server's own text."""
