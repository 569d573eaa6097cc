"""The console: pages of data over SQLAdmin, with inbox, confirm pages and the record page."""
