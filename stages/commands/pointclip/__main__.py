"""`python -m stages.commands.pointclip`, where the command itself is not installed."""

from stages.commands.pointclip.main import main

main()
