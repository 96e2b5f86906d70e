import torch

from seq2seq.inference.word_alignment import align_words, words_of_pieces


def test_worked_out_by_hand():
    # pieces: source "un|done yes </s>" of words 0, 0, 1; translation "x y|y </s>" of words 0, 1, 1
    weights = torch.tensor([[[0.3, 0.3, 0.4, 0.0], [0.1, 0.1, 0.2, 0.6], [0.0, 0.1, 0.3, 0.6], [0.0, 0.0, 0.0, 1.0]]])
    # x: 0.6 for word 0, 0.4 for word 1; y: 0.2 + 0.1 for word 0, 0.2 + 0.3 for word 1; </s> is no word
    assert align_words(weights, [0, 0, 1], [0, 1, 1]) == [(0, 0), (1, 1)]


def test_heads_count_with_their_mean():
    first = torch.tensor([[0.9, 0.1, 0.0], [0.0, 0.0, 1.0]])
    second = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])  # together 0.9 and 1.1
    assert align_words(torch.stack([first, second]), [0, 1], [0]) == [(1, 0)]


def test_word_that_looks_at_the_end_alone_is_in_no_pair():
    assert align_words(torch.tensor([[[0.0, 1.0], [0.5, 0.5]]]), [0], [0]) == []


def test_nothing_to_align():
    assert align_words(torch.zeros(0, 0, 0), [], []) == []
    assert align_words(torch.zeros(0, 2, 2), [0], [0]) == []
    assert align_words(torch.ones(1, 1, 2), [0], []) == []


def test_words_of_pieces():
    assert words_of_pieces(["▁Je", "▁sui", "s", "▁", "é", "."], 3) == [0, 1, 1, 1, 2, 2]
    assert words_of_pieces(["Je", "<0xC3>", "<0xA9>", "▁x"], 2) == [0, 0, 0, 1]
    assert words_of_pieces(["▁", "▁"], 0) == [0, 0]
