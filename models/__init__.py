"""Tables, enums, column types and database sessions: one file per noun, nothing of ours imported."""
