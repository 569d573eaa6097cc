"""Tests: each names the sentence it proves, on a real PostgreSQL."""
