import numpy as np
import pytest
import sacrebleu

from seq2seq.errors import DataError, UserError
from seq2seq.evaluation.metrics import compare_translations, num_tokenized, score_translations

REFERENCES = [
    "the cat sat on the mat .", "a dog barks at the small cat .", "she reads a long book in the garden .",
    "two men play music on the street .", "the girl runs to the red house .", "he drinks water from a glass .",
    "the old man looks at the sea .",
]  # fmt: skip
GOOD = [line.replace("the small", "a little").replace("garden", "yard") for line in REFERENCES]
BAD = [line.replace(" a ", " one ").replace("on the", "at some") for line in REFERENCES]


def test_perfect_translations():
    scores = score_translations(REFERENCES, REFERENCES, "en")
    assert scores["bleu"].score == pytest.approx(100)
    assert scores["chrf"].score == pytest.approx(100)
    assert scores["ter"].score == 0
    assert "tok:13a" in scores["bleu"].signature


def test_chinese_is_tokenized_as_chinese():
    assert "tok:zh" in score_translations(["你好"], ["你好"], "zh", ["bleu"])["bleu"].signature


def test_case_is_ignored_on_request():
    shouted = [line.upper() for line in REFERENCES]
    cased, uncased = (score_translations(shouted, REFERENCES, "en", lowercase=lowercase) for lowercase in (False, True))
    assert max(cased["bleu"].score, cased["chrf"].score) < 20
    assert "case:mixed" in cased["bleu"].signature
    assert "case:mixed" in cased["chrf"].signature
    assert [uncased[metric].score for metric in ("bleu", "chrf")] == pytest.approx([100, 100])
    assert all("case:lc" in score.signature for score in uncased.values())
    assert cased["ter"] == uncased["ter"]


def resampled_bleu(systems: list[list[str]], count: int) -> np.ndarray:
    """BLEU of each system on each of `count` samples of the sentences, one by one: [systems, samples]."""
    samples = np.random.default_rng(12345).choice(len(REFERENCES), size=(count, len(REFERENCES)))
    return np.array(
        [
            [sacrebleu.corpus_bleu([texts[i] for i in sample], [[REFERENCES[i] for i in sample]]).score
             for sample in samples]
            for texts in systems
        ]
    )  # fmt: skip


def test_confidence_is_the_spread_over_samples_of_the_sentences():
    score = score_translations(GOOD, REFERENCES, "en", ["bleu"], bootstrap=200)["bleu"]
    (resampled,) = np.sort(resampled_bleu([GOOD], 200))
    assert score.score == pytest.approx(sacrebleu.corpus_bleu(GOOD, [REFERENCES]).score)
    assert score.confidence == pytest.approx((resampled.mean(), (resampled[-6] - resampled[5]) / 2))  # 2.5 % of 200: 5
    assert "|bs:200|seed:12345|" in score.signature
    assert score.p_value is None


def test_p_value_is_the_share_of_samples_that_differ_more_than_the_whole():
    systems = {"baseline": GOOD, "bad": BAD}
    scores = compare_translations(systems, REFERENCES, "en", ["bleu"], bootstrap=100)
    baseline, bad = (scores[name]["bleu"] for name in systems)
    differences = np.abs(np.subtract(*resampled_bleu([GOOD, BAD], 100)))
    larger = np.sum(differences - differences.mean() > baseline.score - bad.score)
    assert baseline.p_value is None
    assert bad.p_value == pytest.approx((larger + 1) / 101)
    assert bad.signature == baseline.signature
    assert baseline == score_translations(GOOD, REFERENCES, "en", ["bleu"], bootstrap=100)["bleu"]


def test_several_systems_and_metrics():
    systems = {"bad": BAD, "same": list(BAD), "good": GOOD, "perfect": REFERENCES}
    scores = compare_translations(systems, REFERENCES, "en", bootstrap=40)
    assert list(scores) == list(systems)
    for name, by_metric in scores.items():
        assert {metric: score.score for metric, score in by_metric.items()} == pytest.approx(
            {metric: score.score for metric, score in score_translations(systems[name], REFERENCES, "en").items()}
        )
    assert [scores["same"][metric].p_value for metric in ("bleu", "chrf", "ter")] == [1.0, 1.0, 1.0]
    assert scores["perfect"]["bleu"].p_value == pytest.approx(1 / 41)
    assert scores["perfect"]["ter"].confidence == (0.0, 0.0)


def test_the_seed_is_sacrebleus(monkeypatch):
    monkeypatch.setenv("SACREBLEU_SEED", "7")
    seeded = score_translations(GOOD, REFERENCES, "en", ["bleu"], bootstrap=40)["bleu"]
    assert "|seed:7|" in seeded.signature
    assert seeded == score_translations(GOOD, REFERENCES, "en", ["bleu"], bootstrap=40)["bleu"]
    monkeypatch.setenv("SACREBLEU_SEED", "None")
    assert "|seed:none|" in score_translations(GOOD, REFERENCES, "en", ["bleu"], bootstrap=40)["bleu"].signature


@pytest.mark.parametrize("seed", ["0", "-1", "1.5", "", "x"])
def test_other_seeds_are_refused(monkeypatch, seed):
    monkeypatch.setenv("SACREBLEU_SEED", seed)
    with pytest.raises(UserError, match=f"SACREBLEU_SEED is '{seed}': set it to a whole number from 1 up, to none"):
        score_translations(GOOD, REFERENCES, "en", bootstrap=40)


def test_unequal_counts_are_refused():
    with pytest.raises(DataError, match="1 translations for 2 references"):
        score_translations(["a"], ["a", "b"], "en")
    with pytest.raises(DataError, match="1 translations for 2 references"):
        compare_translations({"a": ["a", "b"], "b": ["a"]}, ["a", "b"], "en")


def test_nothing_to_score_is_refused():
    with pytest.raises(DataError, match="no sentences to score"):
        score_translations([], [], "en")
    with pytest.raises(DataError, match="no sentences to score"):
        score_translations([], [], "en", bootstrap=40)


def test_tokenized_periods_are_counted(caplog):
    assert num_tokenized(["A cat .", "A cat.", " .", ".", "A cat . ", ""]) == 2
    score_translations(["a b ."] * 100, ["a b."] * 100, "en")
    assert not caplog.records  # sacreBLEU's own note of it takes three lines
