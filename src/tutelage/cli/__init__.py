"""The command line: check, plan, make, show, serve."""
