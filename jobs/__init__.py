"""Background tasks and their schedule: thin calls of workflows."""
