"""Inflection of the words in lexicon.py (plurals, agreement, conjugation), and elision and contraction in French."""

import re
from dataclasses import dataclass

from corpus.lexicon import ADJECTIVE_TABLE, IRREGULAR_VERBS, NOUN_TABLE, STEM_CHANGES, VERB_TABLE

VOWEL = r"(?!haricot|homard|hamster|hibou|héros|huit|onze)[aeiouyhàâéèêîôœAEIOUÉ]"  # h is mute but in these words


def french(text: str) -> str:
    """Elides and contracts: "je ai vu le ami de le garçon" -> "j'ai vu l'ami du garçon"."""
    text = re.sub(rf"\b([ms])a (?={VOWEL})", r"\1on ", text)
    text = re.sub(rf"\bce (?={VOWEL})", "cet ", text)
    text = re.sub(rf"\b(j|m|s|l|d|n|qu)[ea] (?={VOWEL})", r"\1'", text)
    text = re.sub(r"\bsi (?=ils?\b)", "s'", text)
    for written, contracted in (("à le", "au"), ("à les", "aux"), ("de le", "du"), ("de les", "des")):
        text = re.sub(rf"\b{written} ", f"{contracted} ", text)
    return text


def english(text: str) -> str:
    return re.sub(r"\ba (?=[aeiouAEIOU](?!niv|sef))", "an ", text)


def forms(cell: str) -> list[str]:
    return [form.replace("_", " ") for form in cell.split("/")]


def _english_s(word: str) -> str:
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "sh", "ch", "go")) else "s")


def _english_ed(word: str) -> str:
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ied"
    return word + ("d" if word.endswith("e") else "ed")


def _french_s(word: str) -> str:
    return word if word.endswith(("s", "x", "z")) else word + ("x" if word.endswith("eau") else "s")


@dataclass(frozen=True)
class Noun:
    en: str
    en_plural: str
    fr: str
    fr_plural: str
    gender: str
    tags: frozenset[str]


NO_NOUN = Noun("", "", "", "", "m", frozenset())
ANYONE = Noun("", "", "", "", "m", frozenset({"person"}))  # what a name or a pronoun stands for


@dataclass(frozen=True)
class Adjective:
    en: str
    comparative: str
    masculine: str
    feminine: str
    before_vowel: str
    position: str
    tags: frozenset[str]

    def agree(self, gender: str, plural: bool) -> str:
        word = self.feminine if gender == "f" else self.masculine
        return _french_s(word) if plural else word


@dataclass(frozen=True)
class FrenchVerb:
    infinitive: str
    present: tuple[str, ...]
    imperfect: tuple[str, ...]
    future: tuple[str, ...]
    participle: str
    reflexive: bool

    def agree(self, gender: str, plural: bool) -> str:
        word = self.participle + ("e" if gender == "f" else "")
        return _french_s(word) if plural else word


@dataclass(frozen=True)
class Verb:
    en: str
    past: str
    ing: str
    third: str
    particle: str
    fr: FrenchVerb
    kind: str
    tags: frozenset[str]


def conjugate(cell: str) -> FrenchVerb:
    """Builds the forms of a French verb from its infinitive; a leading ``se_`` or ``s'`` makes it reflexive."""
    verb = cell.removeprefix("se_").removeprefix("s'")
    stem = verb[:-2]
    if verb in IRREGULAR_VERBS:
        forms, future, participle = (part.strip() for part in IRREGULAR_VERBS[verb].split("|"))
        present = forms.split()
    elif verb.endswith("er"):
        soft = {"g": stem + "e", "c": stem[:-1] + "ç"}.get(stem[-1], stem)
        strong, _, future = STEM_CHANGES.get(verb, stem).partition("/")
        future = future or strong + "er"
        present = [strong + "e", strong + "es", strong + "e", soft + "ons", stem + "ez", strong + "ent"]
        participle = stem + "é"
    elif verb.endswith("ir"):
        present = [stem + ending for ending in ("is", "is", "it", "issons", "issez", "issent")]
        future, participle = verb, stem + "i"
    else:
        present = [stem + ending for ending in ("s", "s", "", "ons", "ez", "ent")]
        future, participle = verb[:-1], stem + "u"
    past = "ét" if verb == "être" else present[3].removesuffix("ons")
    imperfect = [past + ending for ending in ("ais", "ais", "ait", "ions", "iez", "aient")]
    if verb.endswith(("ger", "cer")):
        imperfect[3:5] = [stem + "ions", stem + "iez"]
    futures = [future + ending for ending in ("ai", "as", "a", "ons", "ez", "ont")]
    return FrenchVerb(verb, tuple(present), tuple(imperfect), tuple(futures), participle, verb != cell)


def _noun(line: str) -> Noun:
    en, fr, gender, *tags = line.split()
    en, *en_plural = forms(en)
    fr, *fr_plural = forms(fr)
    plurals = (en_plural or [_english_s(en)])[0], (fr_plural or [_french_s(fr)])[0]
    return Noun(en, plurals[0], fr, plurals[1], gender, frozenset([*tags, en.replace(" ", "_")]))


def _adjective(line: str) -> Adjective:
    en, fr, position, *tags = line.split()
    en, *comparative = forms(en)
    masculine, *others = forms(fr)
    rules = [("e", "e"), ("eux", "euse"), ("er", "ère"), ("en", "enne"), ("", "e")]
    regular = next(masculine.removesuffix(old) + new for old, new in rules if masculine.endswith(old))
    feminine, before_vowel, *_ = [*others, masculine] if others else [regular, masculine]
    return Adjective(
        en, (comparative or [f"more {en}"])[0], masculine, feminine, before_vowel, position, frozenset(tags)
    )


def _verb(line: str) -> Verb:
    en, fr, kind, *tags = line.split()
    head, _, particle = en.partition("_")
    base, *rest = head.split("/")
    past = rest[0] if rest else _english_ed(base)
    ing = rest[1] if rest[1:] else base.removesuffix("e") + "ing"
    third = rest[2] if rest[2:] else _english_s(base)
    return Verb(base, past, ing, third, particle.replace("_", " "), conjugate(fr), kind, frozenset(tags))


def _lines(table: str) -> list[str]:
    return table.strip().replace("\n    ", " ").splitlines()


NOUNS = [_noun(line) for line in _lines(NOUN_TABLE)]
ADJECTIVES = [_adjective(line) for line in _lines(ADJECTIVE_TABLE)]
VERBS = [_verb(line) for line in _lines(VERB_TABLE)]
