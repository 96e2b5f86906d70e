"""Clauses said in both languages at once: the verb group (tense, negation, clitics, agreement) and what verbs take."""

from dataclasses import dataclass, replace

from corpus.lexicon import ETRE_VERBS, IDIOMS, NAMES
from corpus.phrases import (
    NOTHING,
    NounPhrase,
    Phrase,
    beside,
    chance,
    country,
    entry,
    land,
    location,
    measure,
    named,
    noun_phrase,
    nouns,
    person,
    pick,
    place_for,
    rng,
    say,
    time_for,
    town,
    weighted,
)
from corpus.words import NO_NOUN, VERBS, Noun, Verb, conjugate

VERB = {f"{v.en} {v.particle}".strip(): v for v in reversed(VERBS)}
BE, BE_WITH_AVOIR = (v for v in VERBS if v.en == "be")
MODALS = {"can": conjugate("pouvoir"), "must": conjugate("devoir"), "want": conjugate("vouloir")}
ETRE, AVOIR, ALLER = conjugate("être"), conjugate("avoir"), conjugate("aller")
TENSES = {"present": 4, "progressive": 3, "past": 6, "past_progressive": 2, "future": 3, "going": 2}
EXCLUDED_TENSES = {
    "habit": (), "place": (), "oneoff": ("present",), "event": ("present", "progressive", "past_progressive"),
    "mishap": ("present", "progressive", "past_progressive", "future", "going"),
    "notice": ("progressive", "past_progressive", "going"),
    "state": ("progressive", "past_progressive", "future", "going"),
}  # fmt: skip
BE_PRESENT, BE_PAST = ("am", "", "is", "are", "are", "are"), ("was", "", "was", "were", "were", "were")
REFLEXIVE = ("me", "te", "se", "nous", "vous", "se")
CLITIC_ORDER = {"le": 1, "la": 1, "les": 1, "lui": 2, "leur": 2}  # the others come first
# English object pronoun: French direct, French indirect, person, gender, plural
OBJECT_PRONOUNS = {
    "me": ("me", "me", 0, "m", False), "you": ("vous", "vous", 4, "m", False), "him": ("le", "lui", 2, "m", False),
    "her": ("la", "lui", 2, "f", False), "us": ("nous", "nous", 3, "m", True), "them": ("les", "leur", 5, "m", True),
}  # fmt: skip
FREQUENCIES = {"often": "souvent", "always": "toujours", "sometimes": "parfois", "rarely": "rarement"}
NEGATIONS = {"not": "pas", "never": "jamais"}
# where one does what: tags of places; "*" is the cities
ACTION_PLACES = {
    "eat": "room outside eatery", "drink": "room outside eatery beach", "read": "room outside library beach",
    "write": "room library", "see": "outside street beach *", "find": "street park beach", "lose": "street park beach",
    "meet": "public street *", "buy": "shop *", "draw": "outside", "wait for": "station park eatery", "wash": "kitchen",
    "prepare": "kitchen", "study": "*", "work": "*", "sing": "*", "dance": "*", "help": "public garden",
}  # fmt: skip


@dataclass(frozen=True)
class Predicate:
    """A verb and what belongs to it; clitics are the French object pronouns, agreement that of the participle."""

    verb: Verb
    complement: Phrase = NOTHING
    clitics: tuple[str, ...] = ()
    agreement: tuple[str, bool] = ("m", False)
    noun: Noun = NO_NOUN  # of the object

    @property
    def key(self) -> str:
        return f"{self.verb.en} {self.verb.particle}".strip()


# ---- the verb group --------------------------------------------------------------------------------------------


def english_verb(subject: NounPhrase, verb: Verb, tense: str) -> tuple[str, str, str]:
    """Returns the auxiliary, what follows it, and the form without an auxiliary ("" where it is always there)."""
    third = subject.person == 2
    if tense in ("progressive", "past_progressive", "going"):
        auxiliary = (BE_PAST if tense == "past_progressive" else BE_PRESENT)[subject.person]
        return auxiliary, f"going to {verb.en}" if tense == "going" else verb.ing, ""
    if tense in ("future", "can", "must"):
        return {"future": "will"}.get(tense, tense), verb.en, ""
    if tense == "want":
        return "does" if third else "do", f"want to {verb.en}", f"{'wants' if third else 'want'} to {verb.en}"
    if verb.en == "be":
        return (BE_PAST if tense == "past" else BE_PRESENT)[subject.person], "", ""
    if tense == "past":
        return "did", verb.en, verb.past
    return "does" if third else "do", verb.en, verb.third if third else verb.en


def english_clause(subject: NounPhrase, verb: Verb, tense: str, negation: str, adverb: str) -> str:
    auxiliary, main, inflected = english_verb(subject, verb, tense)
    adverb = "never" if negation == "never" else adverb
    if negation == "not":
        words = ["cannot" if auxiliary == "can" else f"{auxiliary} not", main]
    else:
        words = [adverb, inflected] if inflected else [auxiliary, adverb, main]
    return " ".join(word for word in [subject.en, *words, verb.particle] if word)


def french_clause(subject: NounPhrase, p: Predicate, tense: str, negation: str, adverb: str) -> str:
    verb, who = p.verb.fr, subject.person
    clitics = ((REFLEXIVE[who],) if verb.reflexive else ()) + p.clitics
    clitics = sorted(clitics, key=lambda clitic: CLITIC_ORDER.get(clitic, 0))
    before, inside, after = list(clitics), [], []
    if tense == "past" and p.verb.kind != "state":
        etre = verb.reflexive or verb.infinitive in ETRE_VERBS
        finite = (ETRE if etre else AVOIR).present[who]
        after = [verb.agree(*((subject.gender, subject.plural) if etre else p.agreement))]
    elif tense == "going" or tense in MODALS:
        finite = MODALS.get(tense, ALLER).present[who]
        before, after = [], [*clitics, verb.infinitive]
    else:
        finite = {"past": verb.imperfect, "past_progressive": verb.imperfect, "future": verb.future}.get(
            tense, verb.present)[who]  # fmt: skip
    if negation:
        before, inside = ["ne", *before], [NEGATIONS[negation]]
    inside += [adverb] if adverb else []
    return " ".join(word for word in [subject.fr, *before, finite, *inside, *after] if word)


def clause(subject: NounPhrase, p: Predicate, tense: str, negation: str = "", adverb: Phrase = NOTHING) -> Phrase:
    en = english_clause(subject, p.verb, tense, negation, adverb.en)
    fr = french_clause(subject, p, tense, negation, adverb.fr)
    return say(Phrase(en, fr, subject.combinations), p.complement)


def question(opening: Phrase, subject: NounPhrase, p: Predicate, tense: str) -> Phrase:
    """A question with "est-ce que", to which ``opening`` may prefix a question word."""
    auxiliary, main, _ = english_verb(subject, p.verb, tense)
    en = " ".join(word for word in [auxiliary, subject.en, main, p.verb.particle] if word)
    said = Phrase(en, "est-ce que " + french_clause(subject, p, tense, "", ""), subject.combinations)
    return say(opening, said, p.complement)


def tense_for(subject: NounPhrase, verb: Verb, allowed: str = "", negation: str = "") -> str:
    tenses = {
        t: w for t, w in TENSES.items() if t not in EXCLUDED_TENSES[verb.kind] and (not allowed or t in allowed.split())
    }
    if verb.past == verb.en and subject.person != 2 and negation != "not":
        tenses.pop("present", None)  # "I read" is always the past
    return weighted(tenses)


# ---- predicates ------------------------------------------------------------------------------------------------


def with_object(verb: Verb, thing: NounPhrase) -> Predicate:
    combination = Phrase(
        "", "", frozenset({(f"{verb.en} {verb.particle}".strip(), thing.noun.en)} if thing.noun.en else ())
    )
    return Predicate(verb, say(thing, combination), noun=thing.noun)


def object_of(
    verb: Verb, mode: str = "plain", tags: str = "", kinds: str = "", subject: NounPhrase | None = None
) -> NounPhrase:
    options = nouns(tags or verb.tags)
    if subject is not None:
        drinks = {"wine", "beer"} if "young" in subject.noun.tags else set()
        options = [noun for noun in options if noun is not subject.noun and noun.en not in drinks]
    noun = pick(options)
    if verb.kind == "state" and verb.en in ("like", "love", "know", "understand"):
        kinds = kinds or "the,this,my,his,her,our,their,your,name"
    if "country" in verb.tags and chance(0.1):
        return country()
    if (
        mode == "plain"
        and not kinds
        and noun.tags & {"cup_of", "glass_of", "bottle_of", "sliced"}
        and chance(0.35)
        and (verb.en in ("eat", "drink", "buy", "cut", "want", "prepare"))
    ):
        return measure(noun)
    if "person" in noun.tags and chance(0.3):
        return named(pick(name for name in NAMES if subject is None or name not in subject.en))
    if subject is not None and not kinds and chance(0.15):
        own = {0: "my", 2: "her" if subject.gender == "f" else "his", 3: "our", 4: "your", 5: "their"}[subject.person]
        kinds = own
    return noun_phrase(noun, kinds, mode)


INDIRECT = ("talk to", "answer ", "write to")
GIVING = ("give", "show", "send", "lend", "bring", "explain")
TRANSITIVE = [
    v for v in VERBS if v.tags and v.kind != "place" and f"{v.en} {v.particle}" not in INDIRECT and v.en not in GIVING
]
DITRANSITIVE = [VERB[name] for name in GIVING]
MOTIONLESS = [VERB[name] for name in (
    "get up", "go to bed", "wake up", "have fun", "rest", "get dressed", "arrive", "leave", "come", "go out",
    "go home", "come in", "fall")]  # fmt: skip


DIRECT = "see follow help call invite thank know understand meet".split() + ["wait for", "look for", "listen to"]


def transitive(subject: NounPhrase, mode: str, verb: Verb | None = None) -> Predicate:
    verb = verb or pick(TRANSITIVE)
    return with_object(verb, object_of(verb, mode, subject=subject))


def pronoun_object(subject: NounPhrase, mode: str) -> Predicate:
    """A verb with a personal pronoun as its direct or indirect object."""
    en = pick(en for en, p in OBJECT_PRONOUNS.items() if p[2] != subject.person or p[2] in (2, 5))
    if subject.person in (0, 3):
        en = pick(["you", "him", "her", "them"])
    direct, indirect, _, gender, plural = OBJECT_PRONOUNS[en]
    if chance(0.65):
        return Predicate(VERB[pick(DIRECT)], Phrase(en, ""), (direct,), (gender, plural))
    return Predicate(VERB[pick(INDIRECT).strip()], Phrase(en, ""), (indirect,))


def intransitive(subject: NounPhrase, mode: str) -> Predicate:
    verb = pick(v for v in VERBS if v.kind == "place" and v.tags)
    if "*" in ACTION_PLACES.get(verb.en, "") and chance(0.4):
        return Predicate(verb, town())
    return Predicate(verb, location(pick(nouns(verb.tags))))


def motion(subject: NounPhrase, mode: str) -> Predicate:
    to = pick(["go to", "go to", "come back from", "arrive", "stay", ""])
    if not to:
        return Predicate(pick(MOTIONLESS))
    if to == "stay":
        return Predicate(
            VERB[to],
            pick([Phrase("at home", "à la maison"), town(), location(pick(nouns("room spot hotel hospital")))]),
        )
    target = noun_phrase(pick(nouns("public shop beach park village")), "the", plural=False, adjective=0.15)
    if to == "arrive":
        return Predicate(VERB[to], say(Phrase("at", "à"), target) if "public" in target.noun.tags else town())
    preposition = "from" if to == "come back from" else "to"
    abroad = land(preposition)
    city = town()
    city = Phrase(city.en[3:], ("de " if preposition == "from" else "à ") + city.fr[2:])
    abroad = Phrase(abroad.en.removeprefix(preposition + " "), abroad.fr)
    return Predicate(
        VERB[to], pick([say(Phrase("", "de" if preposition == "from" else "à"), target)] * 2 + [abroad, city])
    )


def ditransitive(subject: NounPhrase, mode: str) -> Predicate:
    """As in "I give the book to my sister" or "I give her the book" (but "I explain the rule to her")."""
    verb = pick(DITRANSITIVE)
    thing = object_of(verb, mode, subject=subject)
    given = with_object(verb, thing)
    if chance(0.45):
        recipient = named(pick(n for n in NAMES if n not in subject.en)) if chance(0.4) else person(0.1)
        if not recipient.noun.en or recipient.noun is not subject.noun:
            return replace(given, complement=say(given.complement, Phrase("to", "à"), recipient))
    en = pick(e for e, p in OBJECT_PRONOUNS.items() if p[2] != subject.person or p[2] in (2, 5))
    if subject.person in (0, 3):
        en = pick(["you", "him", "her", "them"])
    them = Phrase(f"to {en}" if verb.en == "explain" else en, "")
    parts = (given.complement, them) if verb.en == "explain" else (them, given.complement)
    return replace(given, complement=say(*parts), clitics=(OBJECT_PRONOUNS[en][1],))


def living(subject: NounPhrase, mode: str) -> Predicate:
    home = location(pick(nouns("home town")), 0.6, "a" if mode != "negative" else "this")
    if home.en.startswith(("at", "on the")):
        home = Phrase("in" + home.en[2:], "dans" + home.fr[1:], home.combinations)
    return Predicate(
        VERB["live"], pick([town(), land(), home, home, beside(pick(nouns("public sight beach river park")))])
    )


def idiom(subject: NounPhrase, mode: str) -> Predicate:
    return Predicate(BE_WITH_AVOIR, entry(IDIOMS))


PREDICATES = {transitive: 50, pronoun_object: 14, intransitive: 9, motion: 12, ditransitive: 13, living: 4}


def predicate(subject: NounPhrase, mode: str = "plain") -> Predicate:
    return weighted(PREDICATES)(subject, mode)


def where(p: Predicate) -> Phrase:
    """Sometimes a place for an action that has none yet."""
    if p.key not in ACTION_PLACES or p.verb.kind == "place" or not chance(0.5):
        return NOTHING
    if p.noun.tags & {"building", "place", "vehicle"}:
        return NOTHING
    return place_for(ACTION_PLACES[p.key], p.noun)


def simple(
    subject: NounPhrase,
    p: Predicate | None = None,
    tenses: str = "",
    timed: float = 0.6,
    negation: str | None = None,
    fronted: bool = False,
) -> Phrase:
    """A statement, perhaps negated, with a frequency, a place and a time (first, if ``fronted``) where they fit."""
    if negation is None:
        negation = rng.choices(["", "not", "never"], [76, 19, 5])[0]
    p = p or predicate(subject, "negative" if negation else "plain")
    tense = tense_for(subject, p.verb, tenses, negation)
    if (negation == "never" and tense not in ("present", "past")) or (p.verb.kind == "state" and negation == "never"):
        negation = "not"
    adverb = NOTHING
    habitual = tense == "present" and p.verb.kind in ("habit", "place")
    if habitual and not negation and chance(0.4):
        adverb = entry(FREQUENCIES)
    said = say(clause(subject, p, tense, negation, adverb), where(p))
    if (
        adverb.en
        or negation == "never"
        or p.verb.kind == "state"
        or p.key == "understand"
        or (p.verb.kind == "notice" and tense == "present")
    ):
        return said
    if chance(0.85 if habitual else timed):
        time = time_for(tense)
        if fronted and chance(0.2):
            return say(Phrase(time.en + ",", time.fr + ","), said)
        return say(said, time)
    return said
