"""What the scripts that measure have in common: the machine, the speed of training, ratios, tables."""
