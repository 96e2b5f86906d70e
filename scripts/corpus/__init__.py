"""The grammar that generate_corpus.py writes the embedded English-French corpus with."""
