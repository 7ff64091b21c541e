"""An application that does not start."""

raise RuntimeError("no database here")
