"""Questions, with "est-ce que" in French but for "who is", "where is" and "how old is"."""

from corpus.clauses import (
    BE,
    TRANSITIVE,
    VERB,
    Predicate,
    intransitive,
    motion,
    predicate,
    question,
    simple,
    tense_for,
    transitive,
    where,
)
from corpus.phrases import (
    NounPhrase,
    Phrase,
    chance,
    noun_phrase,
    nouns,
    pick,
    pronoun_subject,
    rng,
    say,
    subject,
    time_for,
    weighted,
)
from corpus.sentences import describe, thing


def ask(phrase: Phrase) -> Phrase:
    return Phrase(phrase.en + "?", phrase.fr + " ?", phrase.combinations)


def asker() -> NounPhrase:
    who = pronoun_subject()
    return (
        NounPhrase("you", "vous", frozenset(), 4)
        if who.person in (0, 3)
        else who
        if chance(0.6)
        else subject(third=True)
    )


def yes_or_no() -> Phrase:
    who = asker()
    if chance(0.25):
        what = thing(adjective=0.1) if chance(0.6) else who
        return ask(question(Phrase(), what, Predicate(BE, describe(what)), "present"))
    p = predicate(who, "question")
    tense = "can" if chance(0.15) and p.verb.kind != "state" else tense_for(who, p.verb)
    said = say(question(Phrase(), who, p, tense), where(p))
    return ask(
        say(said, time_for(tense)) if p.verb.kind in ("oneoff", "event") and tense != "can" and chance(0.3) else said
    )


def question_word() -> Phrase:
    """where, when, why, what, which and how many, with "est-ce que"."""
    who = asker()
    word = pick(["where", "when", "why", "what", "what", "which", "which", "how many", "how many"])
    if word in ("where", "when", "why"):
        p = weighted({transitive: 5, intransitive: 1 if word != "where" else 0, motion: 2 if word != "where" else 0})(
            who, "plain"
        )
        if (
            p.verb.kind == "state"
            or (word == "where" and p.noun.tags & {"place", "building", "text"})
            or p.key == "understand"
        ):
            p = Predicate(VERB[pick(["work", "study"])])
        allowed = "past future going" if word == "when" else "past future going progressive"
        opening = {"where": ("where", "où"), "when": ("when", "quand"), "why": ("why", "pourquoi")}[word]
        return ask(question(Phrase(*opening), who, p, tense_for(who, p.verb, allowed)))
    verb = pick(
        v
        for v in TRANSITIVE
        if not v.tags <= {"person", "transport"} and v.en not in ("have", "like", "love", "know", "call")
    )
    if word == "what":
        said = question(Phrase("what", "qu'"), who, Predicate(verb), tense_for(who, verb))
        said = Phrase(said.en, said.fr.replace("qu' est", "qu'est"))
        place = where(Predicate(verb))
        return ask(say(said, place))
    countable = [n for n in nouns(verb.tags) if not {"mass", "kin"} & n.tags]
    noun = pick(countable if word == "how many" and countable else [n for n in nouns(verb.tags) if "kin" not in n.tags])
    if word == "how many" and not countable:
        word = "which"
    plural = word == "how many" or ("mass" not in noun.tags and chance(0.25))
    plain = noun_phrase(noun, "the", plural=plural, adjective=0.15)
    fr = plain.fr.split(" ", 1)[1]
    quel = {("m", False): "quel", ("f", False): "quelle", ("m", True): "quels", ("f", True): "quelles"}[
        noun.gender, plural
    ]
    asked = f"combien de {fr}" if word == "how many" else f"{quel} {fr}"
    combinations = plain.combinations | {(f"{verb.en} {verb.particle}".strip(), noun.en)}
    opening = Phrase(word + plain.en[3:], asked, combinations)
    tense = tense_for(who, verb, "past past future going progressive" if verb.kind != "state" else "")
    said = question(opening, who, Predicate(verb, agreement=(noun.gender, plural)), tense)
    return ask(say(said, time_for(tense)) if chance(0.2) and verb.kind not in ("state", "notice") else said)


def who_or_where() -> Phrase:
    draw = rng.random()
    if draw < 0.55:
        who = NounPhrase("who", "qui")
        return ask(simple(who, predicate(who), "past progressive future present", timed=0.3, negation=""))
    if draw < 0.85:
        what = noun_phrase(
            pick(nouns("item clothing building room animal vehicle text person")), "the,my,our,your,his,her,their,name"
        )
        past = chance(0.2)
        en = ("were" if past else "are") if what.plural else ("was" if past else "is")
        fr = ("étaient" if past else "sont") if what.plural else ("était" if past else "est")
        return ask(say(Phrase(f"where {en}", f"où {fr}"), what))
    what = noun_phrase(pick(nouns("person animal")), "the,your,his,her,name", plural=False, adjective=0.1)
    return ask(say(Phrase("how old is", "quel âge a"), what))
