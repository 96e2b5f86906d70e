"""Other toolkits, each installed in a folder of its own and timed at the model of `benchmark.train`."""
