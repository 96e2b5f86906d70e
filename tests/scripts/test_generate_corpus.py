"""The embedded corpus: made by its generator, split as it says, right by the rules that a regex can see."""

import re
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

import generate_corpus as generator

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "data" / "en-fr"
SIZES = {"train": 20000, "validation": 500, "test": 500}


@pytest.fixture(scope="module")
def generated():
    return generator.generate(seed=1)


def read(split: str) -> list[tuple[str, str]]:
    sides = [(CORPUS / f"{split}.{language}").read_text(encoding="utf-8").splitlines() for language in ("en", "fr")]
    return list(zip(*sides, strict=True))


SPLITS = {split: read(split) for split in SIZES}
PAIRS = [pair for pairs in SPLITS.values() for pair in pairs]


# ---- the files -------------------------------------------------------------------------------------------------


def test_generator_gives_the_committed_files(generated, tmp_path):
    generator.write(generated, tmp_path)
    for path in sorted(tmp_path.iterdir()):
        assert path.read_bytes() == (CORPUS / path.name).read_bytes(), path.name
    assert len(list(tmp_path.iterdir())) == 6


def test_another_seed_gives_another_corpus(generated, monkeypatch):
    monkeypatch.setattr(generator, "SIZES", {"train": 300, "validation": 4, "test": 4})
    few, again, other = (generator.generate(seed) for seed in (1, 1, 2))
    assert few == again
    assert few != other


@pytest.mark.parametrize("split", SIZES)
def test_counts_and_file_sizes(split):
    assert len(SPLITS[split]) == SIZES[split]
    for language in ("en", "fr"):
        data = (CORPUS / f"{split}.{language}").read_bytes()
        assert data.count(b"\n") == SIZES[split]
        assert data.endswith(b"\n")
        assert b"\r" not in data
        assert len(data) < 1_500_000


def test_no_sentence_occurs_twice_in_or_between_splits():
    for side in zip(*PAIRS, strict=True):
        assert [sentence for sentence, count in Counter(side).items() if count > 1] == []


def test_lengths():
    for side in zip(*PAIRS, strict=True):
        lengths = [len(sentence.split()) for sentence in side]
        assert min(lengths) >= 3
        assert max(lengths) <= 25
        assert 7.5 < sum(lengths) / len(lengths) < 10
        assert len(set(lengths)) > 12


def test_student_is_in_the_training_split():
    assert ("I am a student.", "Je suis étudiant.") in SPLITS["train"]
    assert ("She is a teacher.", "Elle est professeure.") in SPLITS["train"]


def test_every_word_of_the_other_splits_is_known():
    known = generator.words(generator.Sentence(*pair, frozenset()) for pair in SPLITS["train"])
    for split in ("validation", "test"):
        for en, fr in SPLITS[split]:
            rare = [word for word in f"{en} {fr}".lower().split() if known[word] < 5]
            assert not rare, (en, fr, rare)


def test_held_out_combinations(generated):
    def has_novel(sentence):
        return any(generator.held_out(combination) for combination in sentence.combinations)

    assert not any(map(has_novel, generated["train"]))
    assert all(map(has_novel, generated["test"]))
    assert sum(map(has_novel, generated["validation"])) == SIZES["validation"] // 2
    trained = set().union(*(sentence.combinations for sentence in generated["train"]))
    assert all(sentence.combinations - trained for sentence in generated["test"])


def test_held_out_adjectives_never_stand_before_their_noun_in_training():
    """The same, read from the text alone: "a red shirt"."""
    words = sys.modules["corpus.words"]
    adjectives = {adjective.en for adjective in words.ADJECTIVES}
    nouns = {form: noun.en for noun in words.NOUNS for form in (noun.en, noun.en_plural)}
    found = {split: set() for split in SIZES}
    for split, pairs in SPLITS.items():
        for en, _ in pairs:
            tokens = re.findall(r"\w+", en)
            found[split] |= {(a, nouns[n]) for a, n in pairwise(tokens) if a in adjectives and n in nouns}
    assert len(found["train"]) > 500
    assert not [pair for pair in found["train"] if generator.held_out(pair)]
    assert len(found["test"] - found["train"]) > 50


# ---- the command -----------------------------------------------------------------------------------------------


def test_output_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert generator.main(["--output", str(tmp_path / "file" / "folder")]) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(r"generate_corpus: cannot write to .*folder: .+\n", error)


# ---- the languages: each rule is a pattern that must not occur, with an example that it catches --------------------

VOWEL = r"(?!haricot|homard|hamster|hibou|héros|huit|onze)[aeiouyhàâéèêîôœAEIOUÉ]"
PARTICIPLE = r"(?:allé|venu|revenu|devenu|parti|sorti|arrivé|resté|tombé|rentré|entré)"
FRENCH_RULES = {
    "elision": (rf"\b([Jj]e|[Mm]e|[Ss]e|[Ll]e|[Ll]a|[Dd]e|[Nn]e|[Qq]ue|[Cc]e) {VOWEL}", "Je ai la pomme."),
    "no elision before an aspirated h": (
        r"\b(l|d|qu|cet) ?'?(haricot|homard|hamster|hibou|héros|huit|onze)",
        "J'ai l'hamster.",
    ),
    "si il": (r"\b[Ss]i ils?\b", "Si il vient, je pars."),
    "only il elides si": (r"\b[Ss]'(?!ils?\b|e[ns]|est|[aéhe])", "S'on vient, je pars."),
    "contraction": (r"\b([Àà]|[Dd]e) les? ", "Je vais à le marché."),
    "ma, sa before a vowel": (rf"\b[MmSs]a {VOWEL}", "C'est ma école."),
    "bel, nouvel, vieil": (
        rf"\b(un|le|ce|mon|son|votre|notre|leur|du|au) (beau|nouveau|vieux) {VOWEL}",
        "Il a un vieux ami.",
    ),
    "bel only before a vowel": (rf"\b(bel|nouvel|vieil) (?!{VOWEL})", "Il a un bel chien."),
    "no indefinite article after a negated verb": (
        r"\b(pas|jamais) (\w+ )?une? ",
        "Je ne vois pas une pomme.",
    ),
    "participle after les": (r"\bles (ai|as|a|avons|avez|ont) (pas )?\w*[éiut](?=[ .,])", "Je les ai acheté hier."),
    "participle after elle est": (rf"\b[Ee]lle (n')?est (pas |jamais )?{PARTICIPLE}s?\b", "Elle est allé à Lyon."),
    "participle after ils sont": (rf"\b[Ii]ls (ne )?sont (pas |jamais )?{PARTICIPLE}e?\b", "Ils sont venu."),
    "participle after elles sont": (rf"\b[Ee]lles (ne )?sont (pas |jamais )?{PARTICIPLE}s?\b", "Elles sont venus."),
    "participle of a reflexive verb": (r"\b[Ee]lle s'est \w+é\b", "Elle s'est levé."),
    "profession without an article": (
        r"\b(suis|est|êtes) une? (étudiant|professeur|médecin|avocat)e?\b",
        "Je suis un étudiant.",
    ),
    "space before the question mark": (r"\S\?|\?.", "Où est-il?"),
    "capital and final mark": (r"^(?![A-ZÉÀÊO])|[^.?]$", "il vient"),
    "spacing": (r"  | [.,]|^ | $|' ", "Il vient ."),
}  # fmt: skip
ENGLISH_RULES = {
    "a before a vowel": (r"\b[Aa] (?!useful|university)[aeiouAEIOU]", "I have a apple."),
    "an before a consonant": (r"\b[Aa]n (?![aeiouAEIOU])", "I have an car."),
    "cannot in one word": (r"\bcan not\b", "I can not come."),
    "spacing": (r"  | [.,?]|^ | $", "He comes ."),
    "capital and final mark": (r"^(?![A-Z])|[^.?]$", "he comes"),
    "third person": (r"^(He|She|It) (eat|buy|go|have|do|want|are|were|like)\b", "He eat an apple."),
}


@pytest.mark.parametrize(("side", "rules"), [(0, ENGLISH_RULES), (1, FRENCH_RULES)], ids=["english", "french"])
def test_rules(side, rules):
    for name, (pattern, wrong) in rules.items():
        rule = re.compile(pattern)
        assert rule.search(wrong), f"{name} does not catch {wrong}"
        assert [pair for pair in PAIRS if rule.search(pair[side])][:3] == [], name


def unpaired_negations(pairs):
    """Every ne or n' has its pas or jamais, and the other way round; English agrees about how many there are."""
    for en, fr in pairs:
        before = len(re.findall(r"\b[Nn](?:e\b|')", fr))
        after = len(re.findall(r"\b(?:pas|jamais)\b", fr))
        said = len(re.findall(r"\b(?:not|cannot|never|no)\b", en))
        if not before == after == said:
            yield en, fr


def test_negation_is_paired():
    assert list(unpaired_negations([("I do not see him.", "Je ne le vois.")]))
    assert list(unpaired_negations([("I see him.", "Je ne le vois pas.")]))
    assert list(unpaired_negations(PAIRS)) == []


def test_des_is_de_before_an_adjective():
    """As in "some beautiful houses", "de belles maisons" (and "des belles maisons" after de: "of the ...")."""
    before = r"(grand|petit|beau|bel|nouve|vie|bon|mauvais|jeune|joli|long|gentil)"
    assert len([en for en, fr in PAIRS if re.search(rf"\b(de|d'){before}\w*[sx]\b|\bde {before}\w*[sx]\b", fr)]) > 100
    for en, fr in PAIRS:
        if re.search(r"\bsome (big|small|beautiful|new|old|good|bad|young|pretty|long|kind) ", en):
            assert not re.search(rf"\bdes {before}", fr), (en, fr)


def test_questions_are_questions_in_both_languages():
    assert [pair for pair in PAIRS if pair[0].endswith("?") != pair[1].endswith(" ?")] == []


PHENOMENA = {
    "participle agrees with the pronoun before it": r"l'ai \w+ée\b|les ai \w+ées\b",
    "participle agrees across a relative clause": r"\bque? ?\S* \w* ?(ai|a|ont|avez|avons) \w+ées?\b",
    "two object pronouns": r"\b(me|m'|vous|nous) ?(l'|le|la|les)|\b(le|la|les|l') ?(lui|leur)\b",
    "negation around an auxiliary": r"n'(ai|a|ont|avons|avez) pas \w+é",
    "no elision before an aspirated h": r"\b(le|la|de) (homard|hamster|hibou|héros|haricot)",
    "bel, nouvel, vieil": r"\b(bel|nouvel|vieil) \w",
    "mon before a feminine noun": r"\b[MmSs]on (école|assiette|orange|écharpe|horloge|histoire|idée)\b",
    "contraction": r"\b(au|aux|du|des) \w",
    "futur": r"\b\w+(erai|era|erons|erez|eront)\b",
    "imparfait": r"\b\w+(aient|ait)\b",
    "futur proche": r"\b(vais|va|allons|allez|vont) (?!à|en|au|aux|chez)\w+(er|ir|re)\b",
    "reflexive": r"\b(me|nous|vous) (suis|sommes|êtes) \w+",
    "comparison": r"\bplus \w+ que?\b",
    "est-ce que": r"\best-ce qu",
}  # fmt: skip


@pytest.mark.parametrize("phenomenon", PHENOMENA)
def test_phenomenon_is_frequent(phenomenon):
    assert sum(bool(re.search(PHENOMENA[phenomenon], fr)) for _, fr in SPLITS["train"]) >= 20
