"""`python -m jobs`: run a worker in this process."""

from jobs.app import main

main()
