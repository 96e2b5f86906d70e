"""More sentence types: subordinate clauses, coordination, comparison, the hour and the weather; and their table."""

from dataclasses import replace

from corpus import questions as q
from corpus import sentences as s
from corpus.clauses import (
    BE,
    FREQUENCIES,
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
    with_object,
)
from corpus.lexicon import DAYS, IDIOMS, NUMBERS
from corpus.phrases import (
    NounPhrase,
    Phrase,
    adjectives,
    chance,
    entry,
    land,
    named,
    noun_phrase,
    nouns,
    person,
    pick,
    pronoun_subject,
    rng,
    say,
    subject,
    time_for,
    town,
    weighted,
)
from corpus.sentences import polarity
from corpus.sequences import sequence
from corpus.words import ADJECTIVES, conjugate

EVENTS = ["arrive", "come in", "go home", "leave"]
GOOD = "beautiful pretty comfortable interesting modern famous quiet easy useful good light old new".split()
BAD = "expensive heavy big small long difficult boring old dirty dangerous bad".split()
REASONS = {
    "hungry": "eat", "thirsty": "drink", "tired": "rest,go to bed,go home,not work",
    "sick": "stay,go home,not come,not work,rest", "sleepy": "go to bed,sleep", "afraid": "run,leave",
    "happy": "sing,dance", "sad": "leave,not sing,not dance",
}  # fmt: skip
HOURS = {en: fr for en, fr in NUMBERS.items() if not en.startswith("twe") and not en.endswith("ty")}
WEATHER = {
    "it is raining": "il pleut", "it was raining": "il pleuvait", "it will rain": "il pleuvra",
    "it rained": "il a plu", "it is cold": "il fait froid", "it was cold": "il faisait froid",
    "it will be cold": "il fera froid", "it is hot": "il fait chaud", "it was hot": "il faisait chaud",
    "it will be hot": "il fera chaud", "it is very cold": "il fait très froid",
    "it was very hot": "il faisait très chaud", "it is not raining": "il ne pleut pas",
    "it will not rain": "il ne pleuvra pas", "it did not rain": "il n'a pas plu",
    "it was not cold": "il ne faisait pas froid", "it is not hot": "il ne fait pas chaud",
    "it is going to rain": "il va pleuvoir",
}  # fmt: skip


def someone_else(who: NounPhrase) -> NounPhrase:
    other = (
        named(pick(["Paul", "Marie", "Thomas", "Emma"]))
        if chance(0.4)
        else pronoun_subject()
        if chance(0.5)
        else person(0)
    )
    same = (
        other.en == who.en
        or other.en in who.en
        or (other.noun.en and other.noun is who.noun)
        or {who.person, other.person} <= {0, 3}
    )
    both_he = other.person == who.person and not other.noun.en and other.person in (2, 5)
    return someone_else(who) if same or both_he else other


def because() -> Phrase:
    draw, tense = rng.random(), weighted({"past": 3, "present": 2})
    cause = Phrase("because", "parce que")
    if draw < 0.5:
        bad = chance(0.5)
        tags = (
            "clothing furniture vehicle home text film item town"
            if not bad
            else "clothing furniture vehicle luggage home text"
        )
        verb = (
            VERB[pick(["buy", "choose", "like", "want", "sell"])]
            if bad
            else VERB[pick(["buy", "choose", "like", "want"])]
        )
        noun = pick(n for n in nouns(tags) if n.tags & verb.tags and adjectives(n))
        who = subject()
        what = noun_phrase(noun, "the,this", adjective=0.15)
        tense = tense if verb.kind == "state" else "past"
        negation = "not" if bad and verb.en != "sell" else ""
        options = BAD if bad else GOOD
        fitting = [a for a in adjectives(noun) if a.en in options]
        if not fitting:
            return because()
        quality = pick(fitting)
        degree = (
            Phrase("too", "trop")
            if bad and quality.en not in ("boring", "bad", "broken", "dangerous")
            else pick([Phrase(), Phrase("very", "très")])
        )
        reason = Phrase(quality.en, quality.agree(what.gender, what.plural), frozenset({(quality.en, noun.en)}))
        said = say(clause(who, with_object(verb, what), tense, negation), cause)
        return say(said, clause(what.pronoun, Predicate(BE, say(degree, reason)), tense))
    who = subject()
    state = pick(REASONS)
    p, negation = consequence(who, state)
    time = time_for("past" if tense == "past" else "progressive") if chance(0.3) else Phrase()
    said = say(clause(who, p, "past" if tense == "past" else "progressive", negation), time, cause)
    return say(said, clause(who.pronoun, state_of(who, state), tense))


def consequence(who: NounPhrase, state: str) -> tuple[Predicate, str]:
    """What someone who is hungry, tired ... does or does not do."""
    deed = pick(REASONS[state].split(","))
    verb = VERB[deed.removeprefix("not ")]
    if verb.en in ("eat", "drink"):
        return transitive(who, "plain", verb), ""
    home = Phrase("at home", "à la maison") if verb.en == "stay" else Phrase()
    return Predicate(verb, home), "not" if deed.startswith("not ") else ""


def state_of(who: NounPhrase, state: str) -> Predicate:
    if state in IDIOMS:
        return Predicate(idiom(who, "").verb, Phrase(state, IDIOMS[state]))
    adjective = next(a for a in ADJECTIVES if a.en == state)
    return Predicate(BE, Phrase(state, adjective.agree(who.gender, who.plural)))


def when() -> Phrase:
    """As in "I was reading when she arrived" and "when I was young, I lived in Paris"."""
    who = subject()
    if chance(0.3):
        state = Phrase("young", "jeune" + ("s" if who.plural else "")) if chance(0.6) else Phrase(
            "children" if who.plural else "a child", "enfant" + ("s" if who.plural else ""))  # fmt: skip
        opening = say(Phrase("when", "quand"), clause(who, Predicate(BE, state), "past"))
        p = (
            living(who, "plain")
            if chance(0.4)
            else transitive(who, "plain", VERB[pick(["like", "love", "have", "know", "want"])])
        )
        return say(replace(opening, en=opening.en + ",", fr=opening.fr + ","), clause(who.pronoun, p, "past"))
    doing = predicate(who)
    if doing.verb.kind not in ("habit", "oneoff", "place") or doing.key == "go to":
        doing = (
            intransitive(who, "plain")
            if chance(0.4)
            else Predicate(VERB[pick(["sleep", "work", "rest", "sing", "dance", "play"])])
        )
    other = someone_else(who)
    event = Predicate(VERB[pick(EVENTS)])
    if chance(0.3):
        event = Predicate(VERB["call"], Phrase("me"), ("me",)) if other.person not in (0, 3) else event
    return say(clause(who, doing, "past_progressive"), Phrase("when", "quand"), clause(other, event, "past"))


def condition() -> Phrase:
    """As in "If it rains, we will stay at home", "if you are tired, you must rest"."""
    who, draw = subject(), rng.random()
    tense = weighted({"future": 3, "can": 1, "must": 1})
    if draw < 0.35:
        state = pick(REASONS)
        p, negation = consequence(who, state)
        first, result = clause(who, state_of(who, state), "present"), who.pronoun
        tense = "future" if negation or state in ("afraid", "happy", "sad") else tense
    else:
        if draw < 0.6:
            first = Phrase("it rains", "il pleut")
            first = say(first, entry({"tomorrow": "demain", "tonight": "ce soir"})) if chance(0.6) else first
        else:
            free = Predicate(VERB["have"], Phrase("time", "le temps"))
            first = clause(who, free if chance(0.4) else motion(who, "plain"), "present", polarity(0.1))
        result, negation = who.pronoun if draw > 0.6 and chance(0.6) else someone_else(who), polarity(0.2)
        p = predicate(result, "negative" if negation else "plain")
        if p.verb.kind in ("state", "mishap", "notice", "event"):
            p = Predicate(VERB[pick(["rest", "have fun"])])
    opening = replace(first, en=f"if {first.en},", fr=f"si {first.fr},")
    return say(opening, clause(result, p, tense, negation))


def belief() -> Phrase:
    who, verb = subject(), pick(["think", "know", "say", "hope"])
    main = VERB[verb]
    if verb == "know":
        main = replace(main, fr=conjugate("savoir"))
    opening = say(clause(who, Predicate(main), "present"), Phrase("that", "que"))
    if verb == "hope":
        other = someone_else(who) if chance(0.7) else who.pronoun
        negation = polarity(0.15)
        p = predicate(other, "negative" if negation else "plain")
        p = Predicate(VERB["come"]) if p.verb.kind in ("state", "mishap") else p
        said = clause(other, p, "future", negation)
        return say(opening, said, time_for("future")) if chance(0.3) else say(opening, said)
    if chance(0.5):
        what = s.thing()
        return say(opening, clause(what, Predicate(BE, s.describe(what)), s.is_tense(), polarity(0.15)))
    other = someone_else(who)
    return say(opening, simple(other, timed=0.2, negation=polarity(0.1)))


def comparison() -> Phrase:
    """As in "Marie is taller than Paul", "this car is not as fast as the other"."""
    ungraded = (
        "good",
        "bad",
        "new",
        "red",
        "broken",
        "round",
        "empty",
        "delicious",
        "ready",
        "clean",
        "fresh",
        "hot",
        "cold",
        "sick",
    )
    if chance(0.5):
        one, other = (
            person(0) if chance(0.4) else subject(),
            person(0.1) if chance(0.5) else named(pick(["Paul", "Marie", "Julie", "Marc"])),
        )
        if one.en in other.en or other.en in one.en or (one.noun.en and one.noun is other.noun):
            return comparison()
        options = [
            a
            for a in ADJECTIVES
            if "person" in a.tags and (a.position == "verb" or a.position == "after") and a.en not in ungraded
        ]
        options += [a for a in ADJECTIVES if a.en in ("young", "old")]
        if one.noun.en:
            options = [a for a in options if one.noun.tags & a.tags]
    else:
        kinds = "the,this,my,his,her,our,your,name"
        tags = pick(
            [
                "clothing",
                "furniture",
                "vehicle",
                "home",
                "town",
                "text",
                "animal",
                "building",
                "fruit",
                "lesson",
                "luggage",
            ]
        )
        noun, second = rng.sample(nouns(tags), 2)
        if chance(0.15):
            second, kinds = noun, "my,his,her,our,your,name"
        one, other = noun_phrase(noun, kinds, adjective=0), noun_phrase(second, kinds, adjective=0)
        options = [
            a
            for a in adjectives(noun, "before after")
            if a in adjectives(second, "before after") and a.en not in ungraded
        ]
        if not options or (one.en.split(" ")[0] == other.en.split(" ")[0] and second is noun):
            return comparison()
    adjective = pick(options)
    combinations = frozenset((adjective.en, n.noun.en) for n in (one, other) if n.noun.en)
    fr = adjective.agree(one.gender, one.plural)
    degree = pick(["more", "more", "as", "not as"])
    if degree == "more":
        said = Phrase(f"{adjective.comparative} than", f"plus {fr} que", combinations)
    else:
        said = Phrase(f"as {adjective.en} as", f"aussi {fr} que", combinations)
    return clause(
        one, Predicate(BE, say(said, other)), "present" if chance(0.8) else "past", "not" if degree == "not as" else ""
    )


def coordination() -> Phrase:
    """Two clauses, in the same tense, with and or but."""
    who = subject()
    first = predicate(who)
    tense = tense_for(who, first.verb, "past progressive future") if first.verb.kind != "state" else "present"
    if first.verb.kind == "state":
        first, tense = motion(who, "plain"), "past"
    second_who = who.pronoun if chance(0.7) else someone_else(who)
    negation = polarity(0.35)
    second = predicate(second_who, "negative" if negation else "plain")
    if (
        (tense not in ("past",) and second.verb.kind not in ("habit", "oneoff", "place"))
        or second.verb.kind == "state"
        or (second.noun.en and second.noun is first.noun and second.verb is first.verb)
    ):
        second = intransitive(second_who, "plain")
    joined = Phrase("but", "mais") if negation else Phrase("and", "et")
    return say(clause(who, first, tense), joined, clause(second_who, second, tense, negation))


def hour() -> Phrase:
    en, fr = pick(HOURS.items())
    half = chance(0.3)
    clock = Phrase(f"half past {en}", f"{fr} heures et demie") if half else Phrase(f"{en} o'clock", f"{fr} heures")
    if chance(0.15):
        it = Phrase("it is", "il est") if chance(0.7) else Phrase("it is already", "il est déjà")
        return say(it, clock)
    if chance(0.15):
        clock = Phrase("noon", "midi") if chance(0.5) else Phrase("midnight", "minuit")
    at = say(Phrase("at", "à"), clock)
    if chance(0.3):
        who = noun_phrase(pick(nouns("transport")), "the,our,this", plural=False, adjective=0.1)
        p = pick([Predicate(VERB["leave"]), Predicate(VERB["arrive"]), Predicate(VERB["arrive"], town())])
    elif chance(0.2):
        who = noun_phrase(pick(nouns("shop museum library restaurant school")), "the,this", plural=False, adjective=0.2)
        p = Predicate(VERB[pick(["open", "close"])])
    else:
        who = subject()
        p = Predicate(VERB[pick(["get up", "go to bed", "wake up", "leave", "arrive", "go home", "eat", "go out"])])
    tense = weighted({"present": 4, "past": 3, "future": 2, "going": 1})
    adverb = entry(FREQUENCIES) if tense == "present" and chance(0.3) else Phrase()
    said = say(clause(who, p, tense, "" if adverb.en else polarity(0.12), adverb), at)
    if tense == "present":
        en, fr = pick(DAYS.items())
        return say(said, Phrase(f"on {en}s", f"le {fr}")) if chance(0.3) and not adverb.en else said
    day = {"past": ("yesterday", "hier"), "future": ("tomorrow", "demain"), "going": ("tomorrow", "demain")}[tense]
    return say(said, Phrase(*day)) if chance(0.35) else said


def weather() -> Phrase:
    en, fr = pick(WEATHER.items())
    place = pick([town(), land(), Phrase()])
    tense = (
        "future"
        if "will" in en or "going" in en
        else "past"
        if "was" in en or "rained" in en or "did" in en
        else "progressive"
    )
    said = say(Phrase(en, fr), place)
    return say(said, time_for(tense)) if chance(0.6) else said


def plain() -> Phrase:
    return simple(subject(), fronted=True)


SENTENCES = {
    plain: 28, s.modal: 8, s.description: 7, s.profession: 3, s.position: 5, s.existence: 6, sequence: 15,
    s.object_relative: 11, s.subject_relative: 9, s.age: 2, s.need: 6, s.liking: 3, q.yes_or_no: 6,
    q.question_word: 8, q.who_or_where: 3, because: 8, when: 8, condition: 5, belief: 7, comparison: 5,
    coordination: 8, hour: 3, weather: 1.5,
}  # fmt: skip
