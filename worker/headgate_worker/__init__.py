"""The worker: runs plain RQ jobs behind the gates. Job code needs only the names below."""

from headgate_worker.job_api import RateLimited, current_fence

__all__ = ["RateLimited", "current_fence"]
