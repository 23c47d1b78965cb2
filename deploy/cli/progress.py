"""A progress bar on a terminal; nothing where the output goes to a file."""

import sys


def bar(done: int, total: int, name: str = "") -> None:
    """Draw over the last one; at the end the line is left standing."""
    if sys.stderr.isatty():
        share = done / total if total else 1.0
        end = "\n" if done >= total else ""
        label = f"{name:14} " if name else ""
        sys.stderr.write(f"\r{label}[{'#' * round(share * 40):40}] {done}/{total}{end}")
        sys.stderr.flush()
