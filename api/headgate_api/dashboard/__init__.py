"""The dashboard: one live page over one poller a process, however many look at it."""
