"""Questions and sheets: rosters in and out, bulletins, statements."""
