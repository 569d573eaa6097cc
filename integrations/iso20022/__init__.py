"""Bank files of GB/T 27926 (ISO 20022): credit transfers out, status reports and statements in (DOMAIN section 5)."""
