"""The console: views of data, confirm pages, inbox; nothing here decides, it asks the workflows."""
