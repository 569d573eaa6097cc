"""Workbooks in and out: rosters read whole, problems named by cell, the workbook given back marked (DESIGN D14)."""
