"""Phrases said in both languages at once: noun phrases, places, times.

The French is unelided ("je ai", "de le livre") until ``finish``. A phrase remembers the (adjective, noun) and
(verb, object) combinations in it, so that some of them can be kept for the test split.
"""

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from corpus.lexicon import CITIES, COUNTRIES, DAYS, NAMES, NUMBERS
from corpus.words import ADJECTIVES, ANYONE, NOUNS, VOWEL, Adjective, Noun, english, french

rng = random.Random(1)
T = TypeVar("T")
# Grammatical persons: 0 I, 2 he/she/it, 3 we, 4 you, 5 they (1, the French "tu", is not used).
POSSESSIVES = {
    "my": ("mon", "ma", "mes"), "your": ("votre", "votre", "vos"), "his": ("son", "sa", "ses"),
    "her": ("son", "sa", "ses"), "our": ("notre", "notre", "nos"), "their": ("leur", "leur", "leurs"),
}  # fmt: skip
TIMES = {
    "present": {"every day": "tous les jours", "every morning": "tous les matins", "every evening": "tous les soirs"},
    "progressive": {"now": "maintenant", "at the moment": "en ce moment", "today": "aujourd'hui"},
    "past": {"yesterday": "hier", "last night": "hier soir", "last week": "la semaine dernière", "last month":
             "le mois dernier", "last year": "l'année dernière", "this morning": "ce matin"},
    "past_progressive": {"yesterday morning": "hier matin", "last night": "hier soir", "this morning": "ce matin"},
    "future": {"tomorrow": "demain", "tonight": "ce soir", "next week": "la semaine prochaine", "next month":
               "le mois prochain", "next year": "l'année prochaine", "tomorrow morning": "demain matin"},
}  # fmt: skip
SPANS = {"days": "jours", "weeks": "semaines", "months": "mois", "years": "ans"}
PREPOSITIONS = {"near": "près de", "behind": "derrière", "in front of": "devant", "next to": "à côté de"}
IN = frozenset("room street forest river city village garden park".split())
OWNED = frozenset("known child student school street city village shop hotel restaurant".split())  # one says "my"
ON = frozenset("beach bridge island surface".split())


@dataclass(frozen=True)
class Phrase:
    """A piece of a sentence in both languages, and the word combinations in it."""

    en: str = ""
    fr: str = ""
    combinations: frozenset[tuple[str, str]] = frozenset()


NOTHING = Phrase()


@dataclass(frozen=True)
class NounPhrase(Phrase):
    person: int = 2
    gender: str = "m"
    plural: bool = False
    noun: Noun = ANYONE
    partitive: bool = False  # the French begins with des, du or de la: nothing but "de" is left of it after "de"

    @property
    def pronoun(self) -> "NounPhrase":
        """The subject pronoun that stands for this phrase."""
        if (self.person != 2 and self.person != 5) or self.en in ("he", "she", "they"):
            return NounPhrase(self.en, self.fr, frozenset(), self.person, self.gender, self.plural)
        human = "person" in self.noun.tags
        en = "they" if self.plural else ("she" if self.gender == "f" else "he") if human else "it"
        fr = ("elle" if self.gender == "f" else "il") + ("s" if self.plural else "")
        return NounPhrase(en, fr, frozenset(), self.person, self.gender, self.plural)


def chance(probability: float) -> bool:
    return rng.random() < probability


def pick(options: Iterable[T]) -> T:
    return rng.choice(list(options))


def weighted(weights: Mapping[T, float]) -> T:
    return rng.choices(list(weights), list(weights.values()))[0]


def entry(table: dict[str, str]) -> Phrase:
    return Phrase(*pick(table.items()))


def say(*parts: Phrase) -> Phrase:
    combinations = frozenset().union(*(part.combinations for part in parts))
    return Phrase(" ".join(p.en for p in parts if p.en), " ".join(p.fr for p in parts if p.fr), combinations)


def finish(phrase: Phrase) -> tuple[str, str]:
    en, fr = english(phrase.en), french(phrase.fr)
    if not en.endswith("?"):
        en, fr = en + ".", fr + "."
    return en[0].upper() + en[1:], fr[0].upper() + fr[1:]


def ask(phrase: Phrase) -> Phrase:
    return Phrase(phrase.en + "?", phrase.fr + " ?", phrase.combinations)


# ---- noun phrases ----------------------------------------------------------------------------------------------


@cache
def nouns(tags: str | frozenset[str]) -> tuple[Noun, ...]:
    wanted = set(tags.split()) if isinstance(tags, str) else tags
    return tuple(noun for noun in NOUNS if wanted & noun.tags)


@cache
def adjectives(noun: Noun, positions: str = "before late after") -> tuple[Adjective, ...]:
    return tuple(a for a in ADJECTIVES if a.tags & noun.tags and a.position in positions.split())


def determine(noun: Noun, kind: str, plural: bool, mode: str) -> tuple[str, str]:
    """Returns the determiner in English and in French."""
    mass, index = "mass" in noun.tags, 2 if plural else int(noun.gender == "f")
    if kind in ("the", "name"):
        return "the", ("le", "la", "les")[index]
    if kind == "this":
        return "these" if plural else "this", ("ce", "cette", "ces")[index]
    if kind in POSSESSIVES:
        return kind, POSSESSIVES[kind][index]
    if kind == "a":
        en = ("some" if mode == "plain" else "any") if plural or mass else "a"
        if mode == "negative":
            return en, "de"
        return en, ("de le", "de la")[index] if mass else ("un", "une", "des")[index]
    if kind == "many":
        return pick([("many", "beaucoup de"), ("several", "plusieurs")])
    en, fr = pick(list(NUMBERS.items())[:6])
    return (f"the {en}", f"les {fr}") if kind == "the number" else (en, fr)


def noun_phrase(noun: Noun, kinds: str = "", mode: str = "plain", adjective: float = 0.4, plural: bool | None = None):
    """Builds a noun phrase; mode is "plain", "negative" or "question" (as for any in place of some)."""
    weights = {"the": 30, "a": 28, "this": 8, "my": 5, "his": 4, "her": 4, "our": 2, "their": 2, "your": 3, "name": 5}
    if mode == "plain" and "mass" not in noun.tags:
        weights |= {"number": 8, "many": 4, "the number": 2}
    if "kin" in noun.tags:
        weights = {"my": 6, "his": 5, "her": 5, "our": 3, "their": 3, "your": 4, "name": 4}
    elif noun.tags & {"person", "public", "sight", "place"} and not noun.tags & OWNED:
        weights = {k: w for k, w in weights.items() if k not in POSSESSIVES and k != "name"}
    if kinds == "number":
        weights = {"number": 1}
    kind = weighted({k: w for k, w in weights.items() if not kinds or k in kinds.split(",")} or weights)
    if plural is None:
        often = 0.7 if kind == "a" and mode == "negative" else 0.3
        plural = kind in ("number", "many", "the number") or (not {"mass", "single"} & noun.tags and chance(often))
    chosen = []
    if chance(adjective) and (candidates := adjectives(noun)):
        chosen = [pick(candidates)]
        if chosen[0].position == "before" and (late := adjectives(noun, "late")) and chance(0.25):
            chosen.append(pick(late))
    fr_words = [noun.fr_plural if plural else noun.fr]
    for a in chosen:
        word = a.agree(noun.gender, plural)
        if a.position == "before":
            if noun.gender == "m" and not plural and re.match(VOWEL, fr_words[0]):
                word = a.before_vowel
            fr_words.insert(0, word)
        else:
            fr_words.append(word)
    en, fr = determine(noun, kind, plural, mode)
    if kind == "name":
        owner = pick(NAMES)
        en = f"{owner}'s"
        fr_words += ["de", owner]
    preceded = bool(chosen) and chosen[0].position == "before"
    en_words = [en, *(a.en for a in chosen), noun.en_plural if plural else noun.en]
    fr_words.insert(0, "de" if fr == "des" and preceded else fr)
    return NounPhrase(
        " ".join(en_words), " ".join(fr_words), frozenset((a.en, noun.en) for a in chosen), 5 if plural else 2,
        noun.gender, plural, noun, kind == "a" and (plural or "mass" in noun.tags),
    )  # fmt: skip


def of(phrase: NounPhrase) -> Phrase:
    """French "de" before a noun phrase: "de le" contracts later, a partitive leaves only "de"."""
    fr = re.sub(r"^(des|de le|de la|de) ", "", phrase.fr) if phrase.partitive else phrase.fr
    return Phrase(phrase.en, f"de {fr}", phrase.combinations)


def measure(noun: Noun) -> NounPhrase:
    en, fr, gender = {
        "cup_of": ("a cup of", "une tasse de", "f"), "glass_of": ("a glass of", "un verre de", "m"),
        "bottle_of": ("a bottle of", "une bouteille de", "f"), "sliced": ("a piece of", "un morceau de", "m"),
    }[pick(sorted(noun.tags & {"cup_of", "glass_of", "bottle_of", "sliced"}))]  # fmt: skip
    return NounPhrase(f"{en} {noun.en}", f"{fr} {noun.fr}", frozenset(), 2, gender, False, noun)


def country() -> NounPhrase:
    en, (fr, gender, plural) = pick(COUNTRIES.items())
    article = "les" if plural else "la" if gender == "f" else "le"
    return NounPhrase(en, f"{article} {fr}", frozenset(), 2, gender, plural, Noun(en, en, fr, fr, gender, frozenset()))


def named(*names: str) -> NounPhrase:
    gender = "f" if all(NAMES[name] == "f" for name in names) else "m"
    plural = len(names) > 1
    return NounPhrase(" and ".join(names), " et ".join(names), frozenset(), 5 if plural else 2, gender, plural)


PRONOUNS = [
    NounPhrase(en, fr, frozenset(), person, gender, plural)
    for en, fr, person, gender, plural in (
        ("I", "je", 0, "m", False), ("you", "vous", 4, "m", False), ("he", "il", 2, "m", False),
        ("she", "elle", 2, "f", False), ("we", "nous", 3, "m", True), ("they", "ils", 5, "m", True),
    )
]  # fmt: skip


def pronoun_subject() -> NounPhrase:
    return pick([PRONOUNS[0], *PRONOUNS])


def person(adjective: float = 0.2, kinds: str = "the,this,my,his,her,our,their,your,name,the number") -> NounPhrase:
    return noun_phrase(pick(nouns("person")), kinds, adjective=adjective)


def subject(third: bool = False) -> NounPhrase:
    draw = rng.random()
    if draw < 0.5 and not third:
        return pronoun_subject()
    if draw < 0.65:
        return named(pick(NAMES))
    return named(*rng.sample(sorted(NAMES), 2)) if draw < 0.72 else person()


# ---- places and times ------------------------------------------------------------------------------------------


def location(noun: Noun, adjective: float = 0.15, kinds: str = "the") -> Phrase:
    en, fr = ("in", "dans") if noun.tags & IN else ("on", "sur") if noun.tags & ON else ("at", "à")
    return say(Phrase(en, fr), noun_phrase(noun, kinds, adjective=adjective, plural=False))


def beside(noun: Noun, adjective: float = 0.15) -> Phrase:
    return say(entry(PREPOSITIONS), noun_phrase(noun, "the", adjective=adjective, plural=False))


def town() -> Phrase:
    en, fr = pick(CITIES.items())
    return Phrase(f"in {en}", f"à {fr}")


def land(preposition: str = "in") -> Phrase:
    en, (fr, gender, plural) = pick(COUNTRIES.items())
    if preposition == "from":
        return Phrase(f"from {en}", f"de les {fr}" if plural else f"de {fr}" if gender == "f" else f"de le {fr}")
    return Phrase(f"{preposition} {en}", f"en {fr}" if gender == "f" else f"à {'les' if plural else 'le'} {fr}")


def place_for(tags: str, excluded: Noun | None = None) -> Phrase:
    if "*" in tags and (tags == "*" or chance(0.4)):
        return town()
    return location(pick([n for n in nouns(tags) if n is not excluded]))


def time_for(tense: str) -> Phrase:
    tense = {"going": "future"}.get(tense, tense)
    day_en, day_fr = pick(DAYS.items())
    if tense == "present" and chance(0.3):
        return Phrase(f"on {day_en}s", f"le {day_fr}")
    if tense in ("past", "future") and chance(0.35):
        en, fr = pick(list(NUMBERS.items())[:9])
        span_en, span_fr = pick(list(SPANS.items())[: 4 if tense == "past" else 2])
        if chance(0.4):
            return Phrase(f"on {day_en}", day_fr)
        return Phrase(f"{en} {span_en} ago", f"il y a {fr} {span_fr}") if tense == "past" else Phrase(
            f"in {en} {span_en}", f"dans {fr} {span_fr}")  # fmt: skip
    return entry(TIMES[tense])
