"""The command `pointclip`: one module a subcommand."""
