"""`headgate-task`: one run of a periodic task."""
