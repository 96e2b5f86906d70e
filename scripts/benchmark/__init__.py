"""The parts of benchmark.py: what is measured, one file each; contests between processes; the page."""
