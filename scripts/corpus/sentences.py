"""The sentence types: each function says one random sentence of its type in both languages."""

import re
from dataclasses import replace

from corpus.clauses import (
    BE,
    BE_WITH_AVOIR,
    TRANSITIVE,
    VERB,
    Predicate,
    clause,
    idiom,
    intransitive,
    living,
    motion,
    predicate,
    simple,
    tense_for,
    transitive,
    where,
    with_object,
)
from corpus.lexicon import NAMES, NUMBERS, PROFESSIONS
from corpus.phrases import (
    NounPhrase,
    Phrase,
    adjectives,
    beside,
    chance,
    entry,
    location,
    noun_phrase,
    nouns,
    of,
    pick,
    place_for,
    rng,
    say,
    subject,
    time_for,
    town,
    weighted,
)
from corpus.words import ADJECTIVES, Noun, Verb, conjugate

DEGREES = {"very": "très", "really": "vraiment"}
# what one can be too much
TOO = "expensive heavy big small long difficult old dirty dangerous young serious curious shy tired hot cold".split()
# adjectives that do not describe the same thing
CONTRASTS = [
    "clean dirty", "big small", "old new young", "good bad delicious", "easy difficult", "heavy light",
    "hot cold fresh", "interesting boring", "happy sad", "red green blue black white yellow",
    "French Italian English Spanish German",
    "beautiful pretty", "dangerous useful", "broken new",
]  # fmt: skip


def polarity(negated: float = 0.2) -> str:
    return "not" if chance(negated) else ""


def describe(who: NounPhrase, positions: str = "before late after verb", degree: float = 0.35) -> Phrase:
    """An adjective after "to be", agreeing with the subject."""
    said = {word for word, _ in who.combinations}
    said |= {word for group in CONTRASTS if said & set(group.split()) for word in group.split()}
    fitting = [a for a in ADJECTIVES if a.tags & who.noun.tags and a.position in positions.split()]
    adjective = pick([a for a in fitting if a.en not in said] or fitting)
    combinations = {(adjective.en, who.noun.en)} if who.noun.en else set()
    said = Phrase(adjective.en, adjective.agree(who.gender, who.plural), frozenset(combinations))
    ungraded = adjective.position == "late" or adjective.en in ("broken", "round", "empty", "new", "delicious", "ready")
    if ungraded or not chance(degree):
        return said
    return say(Phrase("too", "trop") if adjective.en in TOO and chance(0.3) else entry(DEGREES), said)


THINGS = (
    "item clothing furniture vehicle machine building room place food foodmass drink text lesson song film animal "
    "dishware opening"
)


def thing(
    tags: str = "", kinds: str = "the,this,my,his,her,our,their,your,name", adjective: float = 0.2, plural=None
) -> NounPhrase:
    described = [noun for noun in nouns(tags or THINGS) if adjectives(noun)]
    return noun_phrase(pick(described), kinds, adjective=adjective, plural=plural)


def is_tense() -> str:
    return weighted({"present": 6, "past": 3, "future": 1})


def description() -> Phrase:
    if chance(0.45):
        who = subject()
        if chance(0.25):
            return simple(who, idiom(who, ""), "present past", negation=polarity())
    else:
        who = thing()
    tense, quality = is_tense(), describe(who)
    if chance(0.6):
        return clause(who, Predicate(BE, quality), tense, polarity())
    described = replace(who, combinations=who.combinations | {(word, "") for word in quality.en.split()})
    other, said = describe(described, degree=0), clause(who, Predicate(BE, quality), tense)
    if other.en in quality.en:
        return said
    if chance(0.4):
        return say(said, Phrase("and", "et"), other)
    return say(said, Phrase("but", "mais"), clause(who.pronoun, Predicate(BE, other), tense, "not"))


def profession_of(who: NounPhrase, en: str = "") -> Phrase:
    en = en or pick(PROFESSIONS)
    fr = PROFESSIONS[en][who.gender == "f"]
    return Phrase(en + "s", fr + "s") if who.plural else Phrase(f"a {en}", fr)


def profession() -> Phrase:
    who = subject()
    while who.noun.tags & {"work", "young"}:
        who = subject()
    draw = rng.random()
    if draw < 0.2:
        verb = VERB["become"]
        return clause(who, Predicate(verb, profession_of(who)), pick(["want", "past", "future"]), polarity(0.15))
    if draw < 0.35 and not who.plural and who.person == 2 and who.en in NAMES:
        best = Phrase("best", "meilleure" if who.gender == "f" else "meilleur") if chance(0.4) else Phrase()
        mine = pick([("my", "mon", "ma"), ("his", "son", "sa"), ("her", "son", "sa"), ("our", "notre", "notre")])
        friend = Phrase("friend", "amie" if who.gender == "f" else "ami")
        own = Phrase(mine[0], mine[2 if who.gender == "f" else 1])
        return clause(who, Predicate(BE, say(own, Phrase(best.en, best.fr), friend)), "present", polarity())
    said = clause(who, Predicate(BE, profession_of(who)), is_tense(), polarity())
    return say(said, town()) if chance(0.35) else said


def somewhere(noun: Noun) -> Phrase:
    if "animal" in noun.tags:
        return location(pick(nouns("garden park forest street kitchen")), 0.2)
    if noun.tags & {"vehicle", "transport"}:
        return beside(pick(nouns("building bridge park market")), 0.2)
    if noun.tags & {"furniture"}:
        return location(pick(nouns("room")), 0.2)
    if "mass" in noun.tags:
        return location(pick(nouns("table desk")), 0.3)
    if chance(0.3):
        return beside(pick(n for n in nouns("door window bed armchair") if n is not noun), 0.2)
    preposition = Phrase("under", "sous") if chance(0.25) else Phrase("on", "sur")
    return say(
        preposition, noun_phrase(pick(nouns("table chair desk bed armchair")), "the", adjective=0.25, plural=False)
    )


MOVABLE = "item clothing dishware food animal vehicle text chair lamp clock"


def position() -> Phrase:
    draw = rng.random()
    if draw < 0.3:
        who = subject()
        place = pick(
            [
                place_for("room public outside"),
                town(),
                Phrase("at home", "à la maison"),
                beside(pick(nouns("public sight"))),
            ]
        )
        return clause(who, Predicate(BE, place), is_tense(), polarity())
    if draw < 0.5:
        what = noun_phrase(pick(nouns("building")), "the,our", adjective=0.3, plural=False)
        landmark = pick(n for n in nouns("public sight bridge river park") if n is not what.noun)
        return clause(what, Predicate(BE, beside(landmark)), "present", polarity())
    what = noun_phrase(pick(nouns(MOVABLE)), "the,my,his,her,our,your,name,the number")
    return clause(what, Predicate(BE, somewhere(what.noun)), weighted({"present": 3, "past": 1}), polarity())


def existence() -> Phrase:
    """As in "There is ..." -> "Il y a ..."."""
    noun = pick(n for n in nouns(MOVABLE + " drink foodmass person building room") if "kin" not in n.tags)
    negation, past = polarity(0.25), chance(0.25)
    what = noun_phrase(noun, "a,number,many", "negative" if negation else "plain", 0.3)
    if noun.tags & {"person"}:
        place = place_for("room public outside street")
    elif noun.tags & {"building"}:
        place = pick(
            [
                town(),
                location(pick(nouns("street city village")), 0.3, "the,this"),
                beside(pick(nouns("sight river bridge"))),
            ]
        )
    elif noun.tags & {"room"}:
        place = location(pick(nouns("home castle hotel")), 0.3, "the,this")
        place = Phrase("in" + place.en[2:], "dans" + place.fr[1:], place.combinations)
    else:
        place = somewhere(noun)
    be = ("were" if past else "are") if what.plural else ("was" if past else "is")
    has = "avait" if past else "a"
    if negation:
        none = replace(what, en=re.sub(r"^(an?|any)\b", "no", what.en))
        return say(Phrase(f"there {be}", f"il ne y {has} pas"), none, place)
    return say(Phrase(f"there {be}", f"il y {has}"), what, place)


def modal() -> Phrase:
    who, negation = subject(), polarity()
    p = predicate(who, "negative" if negation else "plain")
    tense = pick(["can", "must", "want"])
    if (p.verb.kind in ("state", "mishap") and p.key != "live") or p.key in ("arrive", "receive"):
        return simple(who, p, negation=negation)
    said = say(clause(who, p, tense, negation), where(p))
    return say(said, time_for(pick(["future", "progressive"]))) if chance(0.35) and p.verb.kind != "state" else said


RELATIVE = [v for v in TRANSITIVE if v.en not in ("have", "want", "hide", "know", "follow")]


def that_clause(what: Noun, plural: bool, tenses: str, unlike: Verb | None = None) -> Phrase:
    """As in "that Marie bought yesterday"; the participle agrees with the noun before it."""
    fitting = [v for v in RELATIVE if v.tags & what.tags]
    who, verb = subject(), pick([v for v in fitting if v is not unlike] or fitting)
    combination = frozenset({(f"{verb.en} {verb.particle}".strip(), what.en)})
    tense = tense_for(who, verb, tenses)
    p = Predicate(verb, Phrase("", "", combination), agreement=(what.gender, plural))
    said = say(Phrase("that", "que"), clause(who, p, tense))
    return say(said, time_for(tense)) if verb.kind != "state" and tense != "present" and chance(0.3) else said


def object_relative() -> Phrase:
    """As in "The apples that Marie bought are delicious" and "I am eating the apples that Marie bought"."""
    what = thing(kinds="the", adjective=0.15)
    if chance(0.6):
        tense = weighted({"present": 3, "past": 1})
        tenses = "past" if tense == "past" else "past progressive present"
        said = say(what, that_clause(what.noun, what.plural, tenses))
        head = replace(what, en=said.en, fr=said.fr, combinations=said.combinations)
        return clause(head, Predicate(BE, describe(what)), tense, polarity())
    who, verb = subject(), pick(v for v in TRANSITIVE if v.tags & what.noun.tags)
    what = noun_phrase(what.noun, "the", adjective=0.2)
    tense = tense_for(who, verb)
    tenses = "past" if "past" in tense else "present past progressive"
    return say(clause(who, with_object(verb, what), tense), that_clause(what.noun, what.plural, tenses, unlike=verb))


def subject_relative() -> Phrase:
    """As in "The woman who lives in Paris is a doctor"."""
    head = noun_phrase(pick(n for n in nouns("adult young work") if "kin" not in n.tags), "the,this", adjective=0.2)
    who = replace(head, en="who", fr="qui", combinations=frozenset())
    p = weighted({transitive: 5, intransitive: 2, living: 2, motion: 1})(head, "plain")
    relative = simple(who, p, "present progressive past past_progressive", timed=0, negation="")
    said = say(head, relative)
    if chance(0.4):
        knower = subject()
        return say(
            clause(
                knower, Predicate(VERB[pick(["know", "see", "help", "thank"])]), "present" if chance(0.3) else "past"
            ),
            said,
        )
    whole = replace(head, en=said.en, fr=said.fr, combinations=said.combinations)
    if chance(0.4) and not head.noun.tags & {"work", "young"}:
        return clause(whole, Predicate(BE, profession_of(head)), "present", "")
    return clause(whole, Predicate(BE, describe(head)), "present", polarity())


def age() -> Phrase:
    """As in "I am twelve years old" and "I have two brothers"."""
    who = subject() if chance(0.7) else noun_phrase(pick(nouns("animal")), "the,my,our,her,his,your,name", plural=False)
    tense = weighted({"present": 5, "past": 2, "future": 1})
    if chance(0.2) and "animal" not in who.noun.tags:
        family = noun_phrase(pick(n for n in nouns("kin") if "single" not in n.tags), "number", adjective=0.2)
        return clause(who, Predicate(VERB["have"], family), "present")
    numbers = list(NUMBERS.items())
    en, fr = pick(
        numbers[:11] if who.noun.tags & {"animal", "young"} else numbers[6:] if not who.noun.en else numbers[11:]
    )
    years = Predicate(BE_WITH_AVOIR, Phrase(f"{en} years old", f"{fr} ans"))
    return clause(who, years, tense, polarity(0.15))


def need() -> Phrase:
    """As in "need", "be afraid of" and "talk about": French "de"."""
    who, draw = subject(), rng.random()
    tense, negation = weighted({"present": 3, "past": 1}), polarity()
    if draw < 0.5:
        noun = pick(nouns("item clothing furniture vehicle foodmass drink dishware food"))
        what = noun_phrase(noun, "the,a,this,my,his,her,number,name", "question" if negation else "plain")
        verb = replace(VERB["have"], en="need", past="needed", third="needs")
        return clause(
            who, Predicate(verb, say(Phrase("", "besoin"), of(what), combination_of("need", what))), tense, negation
        )
    if draw < 0.7:
        what = noun_phrase(pick(nouns("animal")), "the,this,my,his,her,your,name")
        of_it = say(Phrase("afraid of", "peur"), of(what), combination_of("fear", what))
        return clause(who, Predicate(idiom(who, "").verb, of_it), tense, negation)
    what = noun_phrase(pick(nouns("text film song person animal lesson idea town")), "the,this,my,his,her,our,name")
    verb = replace(VERB["talk to"], particle="about")
    about = Predicate(verb, say(of(what), combination_of("talk about", what)))
    return simple(who, about, "progressive past past_progressive", timed=0.25, negation=negation)


def combination_of(verb: str, what: NounPhrase) -> Phrase:
    return Phrase("", "", frozenset({(verb, what.noun.en)}))


def generic(noun: Noun) -> Phrase:
    article = "les" if "mass" not in noun.tags else "la" if noun.gender == "f" else "le"
    return Phrase(
        noun.en if "mass" in noun.tags else noun.en_plural,
        f"{article} {noun.fr if 'mass' in noun.tags else noun.fr_plural}",
    )


def liking() -> Phrase:
    """Things in general: "I like apples" -> "J'aime les pommes"."""
    negation = polarity(0.25)
    who, verb = subject(), VERB["like" if negation else pick(["like", "love"])]
    one, other = rng.sample(
        nouns(pick(["food foodmass", "food foodmass drink", "animal", "text song film", "sight place", "drink"])), 2
    )
    tense = weighted({"present": 4, "past": 1})
    liked = frozenset({(verb.en, one.en)})
    if chance(0.25) and not negation:
        prefers = replace(verb, en="prefer", past="preferred", third="prefers", fr=conjugate("préférer"))
        return clause(who, Predicate(prefers, say(generic(one), Phrase("to", "à"), generic(other))), tense)
    said = clause(who, Predicate(verb, replace(generic(one), combinations=liked)), tense, negation)
    if chance(0.5):
        return said
    if not negation and chance(0.5):
        return say(
            said, Phrase("but", "mais"), clause(who.pronoun, Predicate(verb, combined(verb.en, other)), tense, "not")
        )
    return say(said, Phrase("or" if negation else "and", "ni" if negation else "et"), combined(verb.en, other))


def combined(verb: str, noun: Noun) -> Phrase:
    return replace(generic(noun), combinations=frozenset({(verb, noun.en)}))
