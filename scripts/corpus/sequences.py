"""Two actions on one thing: "I bought the apple and I ate it", where "it" has the gender of the apple."""

from dataclasses import replace

from corpus.clauses import OBJECT_PRONOUNS, VERB, Predicate, clause, object_of, with_object
from corpus.lexicon import NAMES
from corpus.phrases import NounPhrase, Phrase, chance, named, person, pick, say, subject, time_for, weighted

# what one does to a thing and then to "it": first verb, second verb, tags of the thing, conjunctions
SEQUENCES = """
buy eat food,foodmass and,but
wash eat fruit and
prepare eat dish and,but
cut eat food,sliced and
find open luggage,letter and,but
write send mail and,but
buy read text and,but
receive read letter,message,book and,but
buy wear clothing,ring and,but
buy give item,flower,clothing and
find give item,clothing,ring and
open close opening,luggage and
buy sell vehicle,home,furniture and
repair sell machine,chair,bed and,but
lose find small,bag,pet,hat and,but
break repair chair,toy,machine,lamp and
borrow read book,novel and,but
choose buy clothing,item,furniture and,but
look_for find item,clothing,hotel and,but
paint sell furniture,boat,home and,but
build sell home,boat and,but
see buy item,clothing,vehicle,home and,but
meet invite person and,but
see call person and,but
see help person and
invite thank person and
write show text and
draw show flower,animal,plant and
finish give text and
take lose umbrella,bag,pen and
prepare drink coffee,tea and,but
buy drink drink and,but
clean sell vehicle and
learn forget lesson,song and
"""


def it(verb: str, what: NounPhrase, subject_: NounPhrase, negation: str) -> Predicate:
    """The predicate that does something to what was named before: "and I ate it"."""
    human = "person" in what.noun.tags
    en = "them" if what.plural else "it" if not human else "her" if what.gender == "f" else "him"
    clitic = "les" if what.plural else "la" if what.gender == "f" else "le"
    combination = frozenset({(verb, what.noun.en)} if what.noun.en else ())
    p = Predicate(VERB[verb], Phrase(en, "", combination), (clitic,), (what.gender, what.plural), what.noun)
    if verb not in ("give", "show", "send"):
        return p
    if verb == "send" and chance(0.4):
        return p
    if chance(0.5):
        name = pick(n for n in NAMES if n not in subject_.en)
        receiver = named(name) if chance(0.5) else person(0)
        return replace(p, complement=say(p.complement, Phrase("to", "à"), receiver))
    to = pick(
        ["him", "her", "them"]
        if subject_.person in (0, 3)
        else ["me", "us", "him", "them"]
        if subject_.person != 4
        else ["me", "her"]
    )
    return replace(p, complement=say(p.complement, Phrase(f"to {to}")), clitics=(clitic, OBJECT_PRONOUNS[to][1]))


def sequence() -> Phrase:
    """As in "I bought the apple and I ate it": the pronoun's and the participle's gender come from the first clause."""
    first, second, tags, conjunctions = pick(SEQUENCES.strip().splitlines()).split()
    first, who = first.replace("_", " "), subject()
    conjunction = pick(conjunctions.split(","))
    tense = (
        weighted({"past": 7, "future": 2, "going": 1}) if not {first, second} & {"lose", "break", "forget"} else "past"
    )
    what = object_of(VERB[first], "plain", tags.replace(",", " "), subject=who)
    opening = say(
        clause(who, with_object(VERB[first], what), tense),
        Phrase(conjunction, {"and": "et", "but": "mais"}[conjunction]),
    )
    negation = "not" if conjunction == "but" else ""
    said = say(opening, clause(who.pronoun, it(second, what, who, negation), tense, negation))
    return say(said, time_for(tense)) if chance(0.12) else said
