"""`python -m cli`: the same as the command `yikatong`."""

from cli import main

main()
