"""Every line that headgate-api and GateMiddleware log by themselves: what it means, what to do. The runbook shows them.

`starts` is how the message begins, before its first value.
"""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = "Nothing to do."


@dataclass(frozen=True, slots=True)
class LogLine:
    starts: str
    meaning: str
    action: str


LOG_LINES = (
    LogLine(
        "Rate limit exceeded",
        "A rule refused this identity (hashed). At most one line per rule and client in 10 seconds.",
        "Many identities a few times each: raise the rule's limit. Few of them again and again: abuse, held back.",
    ),
    LogLine(
        "Decided without the store",
        "The store did not answer in 100 ms, is full or lost its memory: requests are decided as onStoreFailure says.",
        "Bring the store back; no restart is needed. Look at its latency when it comes and goes.",
    ),
    LogLine(
        "Policy not read",
        "The HTTPPolicy in the store could not be read; the one read last stays in force in this process.",
        "See the message: a store that is away passes; a policy of a newer version needs a newer Headgate here.",
    ),
    LogLine(
        "Store address changed",
        "The file with the store's URL says another one: this process asks there from now on.",
        "Nothing to do after a rotation that you know of.",
    ),
    LogLine(
        "Store address not read, the last one stays in use",
        "That file cannot be read or holds no store's URL.",
        "Mount the Secret with its key `url`: redis://, rediss:// or unix://.",
    ),
    LogLine("Policy in force", "This process took this revision of its HTTPPolicy.", NOTHING),
    LogLine(
        "Not renewed",
        "This process broke while it renewed what its requests hold: their places lapse after 20 s.",
        "A fault of Headgate's: report it with the traceback.",
    ),
    LogLine(
        "Requests not settled",
        "The store refused to hear how requests ended: their places lapse, and what succeeded counts as failed.",
        "See the error: a full or read-only store. Clients may be shut out by a rule that counts failures until then.",
    ),
    LogLine(
        "GateMiddleware's user= failed",
        "The application's own callable raised: rules by user count by address. Said once for each process.",
        "Correct the callable; the traceback is with the line.",
    ),
    LogLine(
        "Response cut after",
        "A response had begun and was not whole at requestTimeoutSeconds; the connection was cut.",
        "Make the endpoint faster, or raise requestTimeoutSeconds.",
    ),
    LogLine("Tokens read again", "The token file changed and is in use.", NOTHING),
    LogLine(
        "Tokens not read, the last good ones stay",
        "The token file is missing or breaks a rule; whoever was let in still is.",
        "Correct what the message names in the mounted file.",
    ),
    LogLine(
        "Panel failed",
        "A source of the admin page failed or took too long: that panel shows its last value, marked stale, or none.",
        "Look at the source that the message names; the page itself is well.",
    ),
    LogLine(
        "Store trouble",
        "The API answered 503: the store is away or full.",
        "Bring the store back, or give it memory.",
    ),
    LogLine("Broke", "The API answered 500.", "A fault of Headgate's: report it with the traceback."),
    LogLine(
        "The dashboard could not show what it read",
        "The live page met what it does not understand, and says that the store is unreachable.",
        "A fault of Headgate's, or a store of a newer version: report it with the traceback.",
    ),
)
