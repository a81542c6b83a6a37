"""What every package needs: errors, the command line, threads."""
