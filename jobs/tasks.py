"""Tasks by name: thin calls of workflows, each idempotent, each retried with growing pauses."""
