from seq2seq.evaluation.overlap import count_overlap


def test_pairs_and_sources_are_counted_without_case_and_form():
    test = [
        ("A cat.", "Eine Katze."),
        ("A cat.", "Eine Katze."),  # twice in the test set: counted twice
        ("A dog.", "Ein Hund."),
        ("Ｆｕｌｌ width", "Straße"),
        ("new", "neu"),
        ("ca\u0301t", "y"),
    ]
    training = iter(
        [("a CAT.", "eine katze."), ("A dog.", "Der Hund."), ("Full width", "STRASSE"), ("x", "neu"), ("c\u00e1t", "z")]
    )
    assert count_overlap(test, training) == (3, 5, 6)


def test_a_pair_needs_both_sides_of_one_line():
    test = [("a", "1"), ("b", "2")]
    assert count_overlap(test, [("a", "2"), ("b", "1")]) == (0, 2, 2)
    assert count_overlap(test, []) == (0, 0, 2)
