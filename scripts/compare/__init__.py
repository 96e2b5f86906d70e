"""The parts of compare_attention.py: settings, training, speed, measures, figures, report."""
