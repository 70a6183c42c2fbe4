"""Command line: parse, call, print, exit code; nothing else."""
