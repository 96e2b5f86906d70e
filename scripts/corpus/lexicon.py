"""The words of the English-French corpus, as tables.

Each line of a table is one word; spaces inside a word are written ``_``, irregular forms follow a ``/``.
Tags say what a word goes with: a verb or an adjective goes with every noun that has one of its tags, and a
noun's own English name is one of its tags. An indented line continues the one before.
"""

# English/plural  French/plural  gender  tags
NOUN_TABLE = """
apple               pomme            f food fruit colour2
orange              orange           f food fruit
strawberry          fraise           f food fruit
tomato/tomatoes     tomate           f food fruit colour2
carrot              carotte          f food vegetable
bean                haricot          m food vegetable colour2
egg                 œuf              m food
cake                gâteau           m food dish
sandwich            sandwich         m food dish
lobster             homard           m food seafood
bread               pain             m mass foodmass sliced
cheese              fromage          m mass foodmass sliced
meat                viande           f mass foodmass sliced
rice                riz              m mass foodmass dish
chicken             poulet           m mass foodmass dish sliced
fish                poisson          m mass foodmass seafood dish
soup                soupe            f mass foodmass dish
chocolate           chocolat         m mass foodmass
butter              beurre           m mass foodmass
water               eau              f mass drink glass_of bottle_of
milk                lait             m mass drink glass_of bottle_of
coffee              café             m mass drink cup_of hot
tea                 thé              m mass drink cup_of hot
wine                vin              m mass drink glass_of bottle_of
beer                bière            f mass drink glass_of bottle_of
book                livre            m text item useful
letter              lettre           f text mail
newspaper           journal/journaux m text
poem                poème            m text art
story               histoire         f text tale
novel               roman            m text item
article             article          m text
message             message          m text mail
key                 clé              f item small useful
phone               téléphone        m item small useful machine
umbrella            parapluie        m item small useful colour
bag                 sac              m item luggage useful colour
box/boxes           boîte            f item luggage colour
suitcase            valise           f item luggage useful colour
watch/watches       montre           f item small machine breakable
pen                 stylo            m item small useful colour
knife/knives        couteau          m item small useful
glass/glasses       verre            m dishware breakable small
plate               assiette         f dishware breakable colour small
cup                 tasse            f dishware breakable colour small
bottle              bouteille        f dishware breakable colour
gift                cadeau           m item
toy                 jouet            m item small colour
ring                bague            f item small
lamp                lampe            f item furniture colour
flower              fleur            f colour
painting            tableau          m item art
shirt               chemise          f clothing colour
dress/dresses       robe             f clothing colour
hat                 chapeau          m clothing colour
coat                manteau          m clothing colour
sweater             pull             m clothing colour
scarf/scarves       écharpe          f clothing colour
shoe                chaussure        f clothing colour
table               table            f furniture colour surface
chair               chaise           f furniture colour seat surface
bed                 lit              m furniture seat surface
armchair            fauteuil         m furniture colour seat surface
desk                bureau           m furniture surface
mirror              miroir           m furniture breakable
clock               horloge          f furniture machine breakable
car                 voiture          f vehicle machine colour
bicycle             vélo             m vehicle machine colour
boat                bateau           m vehicle machine colour
computer            ordinateur       m machine item
train               train            m transport
bus/buses           bus              m transport
plane               avion            m transport
house               maison           f building home colour
apartment           appartement      m building home
school              école            f building public
church/churches     église           f building sight
hotel               hôtel            m building public
hospital            hôpital/hôpitaux m building public
museum              musée            m building sight public
castle              château          m building sight
station             gare             f building public
library             bibliothèque     f building public
restaurant          restaurant       m building public eatery
bakery              boulangerie      f building shop
shop                magasin          m building shop
theater             théâtre          m building public
university          université       f building public
market              marché           m public shop spot
door                porte            f opening colour
window              fenêtre          f opening breakable
kitchen             cuisine          f room
bedroom             chambre          f room
garden              jardin           m spot outside
park                parc             m spot outside
beach/beaches       plage            f place
street              rue              f place
bridge              pont             m place
city                ville            f place town
village             village          m place town
island              île              f place town
forest              forêt            f place outside
river               rivière          f place
tree                arbre            m plant
dog                 chien            m animal pet
cat                 chat             m animal pet
horse               cheval/chevaux   m animal
bird                oiseau           m animal
rabbit              lapin            m animal pet
mouse/mice          souris           f animal
hamster             hamster          m animal pet
owl                 hibou/hiboux     m animal
lesson              leçon            f lesson
exercise            exercice         m lesson
question            question         f lesson
answer              réponse          f answer
idea                idée             f idea
song                chanson          f song art
film                film             m film
man/men             homme            m person adult
woman/women         femme            f person adult
boy                 garçon           m person young
girl                fille            f person young
child/children      enfant           m person young
neighbor            voisin           m person adult known
friend              ami              m person known
teacher             professeur       m person adult known work
doctor              médecin          m person adult known work
student             étudiant         m person work
baker               boulanger        m person adult work
tourist             touriste         m person adult
singer              chanteur         m person adult work
actress/actresses   actrice          f person adult work
hero/heroes         héros            m person adult
brother             frère            m person kin
sister              sœur             f person kin
cousin              cousin           m person kin
uncle               oncle            m person kin
aunt                tante            f person kin
mother              mère             f person kin single
father              père             m person kin single
grandmother         grand-mère/grands-mères f person kin single
grandfather         grand-père/grands-pères m person kin single
"""

# English/comparative  French/feminine/before a vowel  position  tags.  Position: "before" or "after" the noun,
# "late" for one that may also follow another adjective ("a big red car"), "verb" for one that only follows "to be".
ADJECTIVE_TABLE = """
big/bigger       grand                      before item furniture vehicle building room place animal luggage
    plant clothing spot
small/smaller    petit                      before item furniture vehicle building room place animal dishware
    food clothing spot young
beautiful        beau/belle/bel             before clothing building place art flower ring spot plant vehicle
    animal song tale woman child actress room
new              nouveau/nouvelle/nouvel    before item furniture machine building clothing text lesson
    transport film song known work
old/older        vieux/vieille/vieil        before item furniture machine building clothing text place plant
    animal film song adult known
good             bon/bonne                  before food foodmass drink text eatery film answer idea song
    known work hotel
bad              mauvais                    before film answer idea novel song hotel eatery wine
young/younger    jeune                      before person animal
pretty/prettier  joli                       before clothing flower town home ring song dishware lamp garden colour
long/longer      long/longue                before text street film lesson song
red              rouge                      late   colour colour2 wine
green            vert                       late   colour colour2 tea
blue             bleu                       late   colour
black            noir                       late   colour cat dog horse rabbit bird coffee tea mouse
white            blanc/blanche              late   colour cat dog horse rabbit bird wine mouse rice
yellow           jaune                      late   colour bird
French           français                   late   vehicle wine cheese text song film eatery adult
Italian          italien                    late   vehicle wine cheese text song film eatery adult bread coffee
English          anglais                    late   vehicle tea text song film adult beer cheese
Spanish          espagnol                   late   vehicle wine fruit text song film eatery adult
German           allemand                   late   vehicle beer machine text song film adult bread
expensive        cher                       after  clothing furniture vehicle machine home hotel restaurant
    castle ring bag gift painting wine seafood
heavy/heavier    lourd                      after  luggage furniture gift book
light/lighter    léger                      after  luggage shoe bicycle soup cake
empty            vide                       after  dishware luggage street building room
clean            propre                     after  clothing dishware room vehicle opening place hotel
dirty/dirtier    sale                       after  clothing dishware room vehicle window street knife
hot              chaud                      after  soup hot water bread milk chocolate
cold             froid                      after  drink soup meat chicken
fresh            frais/fraîche              after  bread fish fruit vegetable butter milk egg
delicious        délicieux                  after  food foodmass wine coffee tea
interesting      intéressant                after  text film lesson sight town idea answer
boring           ennuyeux                   after  text film lesson town
difficult        difficile                  after  lesson book article poem
easy/easier      facile                     after  lesson book article
famous           célèbre                    after  sight song novel painting singer actress town hero theater
modern           moderne                    after  building furniture machine kitchen art
comfortable      confortable                after  seat shoe hotel home vehicle transport
quiet/quieter    calme                      after  street town spot hotel library
dangerous        dangereux                  after  street river dog horse forest
round            rond                       after  table mirror plate box cake clock
broken           cassé                      after  breakable chair toy machine
useful           utile                      after  useful machine lesson
strange          étrange                    after  film song text animal idea house
intelligent      intelligent                after  person dog
kind/kinder      gentil/gentille            before kin known child boy girl woman
shy/shyer        timide                     after  person pet
polite           poli                       after  person
serious          sérieux                    after  person
curious          curieux                    after  person pet
patient          patient                    after  person
rich/richer      riche                      after  adult
happy/happier    heureux                    after  person
sad/sadder       triste                     after  person song film tale
tall/taller      grand                      verb   person
tired            fatigué                    verb   person animal
sick             malade                     verb   person animal
ready            prêt                       verb   person
strong/stronger  fort                       verb   person horse
"""

# English base/past/-ing form  French  kind  tags of the direct object.  Kinds (which tenses make sense):
#   habit  every tense; past -> passé composé            oneoff  no simple present
#   event  no simple present, no progressive             notice  no progressive
#   mishap only in the past                              place   like habit, takes no object
#   state  simple present and past; past -> imparfait
VERB_TABLE = """
eat/ate                  manger       habit  food foodmass
drink/drank              boire        habit  drink
buy/bought               acheter      habit  food foodmass drink item clothing furniture vehicle home newspaper flower
sell/sold                vendre       oneoff food item clothing furniture vehicle home cheese bread flower
prepare                  préparer     habit  dish hot
cut/cut/cutting          couper       oneoff sliced fruit vegetable cake
read/read                lire         habit  text
write/wrote              écrire       habit  book letter poem story novel article message song
see/saw/seeing           voir         notice person animal building place vehicle item film
watch                    regarder     habit  film animal child
draw/drew                dessiner     habit  animal flower plant sight bridge boat child
find/found               trouver      event  item dishware clothing pet answer hotel
look_for                 chercher     oneoff item clothing pet home hotel answer
lose/lost                perdre       mishap small umbrella bag hat scarf pet suitcase
forget/forgot/forgetting oublier      mishap small umbrella bag hat scarf gift lesson letter
hide/hid                 cacher       oneoff item letter shoe
take/took                prendre      habit  transport umbrella bag
open                     ouvrir       habit  opening luggage bottle letter gift umbrella
close                    fermer       habit  opening luggage bottle umbrella
break/broke              casser       mishap breakable toy chair lamp
clean                    nettoyer     habit  room window vehicle shoe table desk mirror
wash                     laver        habit  clothing dishware vehicle fruit window dog horse
repair                   réparer      oneoff machine bed chair bridge toy lamp door
paint                    peindre      oneoff opening home furniture boat animal flower
build/built              construire   oneoff home bridge boat school castle
visit                    visiter      oneoff sight town country hotel
choose/chose             choisir      oneoff clothing item dish furniture film
finish                   finir        oneoff text lesson soup cake painting
receive                  recevoir     event  mail gift flower item
wear/wore                porter       habit  clothing ring watch
carry                    porter       oneoff luggage chair computer flower
learn                    apprendre    habit  lesson song poem
understand/understood    comprendre   notice lesson answer film text
borrow                   emprunter    oneoff item vehicle clothing chair
follow                   suivre       oneoff person animal vehicle
meet/met                 rencontrer   event  person
help                     aider        habit  person
call                     appeler      oneoff person
invite                   inviter      oneoff person
thank                    remercier    oneoff person
wait_for                 attendre     oneoff person transport letter
listen_to                écouter      habit  song person story
like                     aimer        state  food foodmass drink text clothing place building animal song film country
love                     adorer       state  food foodmass drink text place building animal song film country
know/knew                connaître    state  person town country song story street
want                     vouloir      state  food foodmass drink item clothing vehicle furniture home pet
have/had/having/has      avoir        state  item clothing vehicle furniture home pet idea
sleep/slept              dormir       place  garden park bedroom hotel
work                     travailler   place  public shop room garden
walk                     marcher      place  outside street beach bridge village
run/ran/running          courir       place  outside street beach
sing/sang                chanter      place  theater kitchen church garden street
dance                    danser       place  street beach garden
play                     jouer        place  spot beach street room
swim/swam/swimming       nager        place  river
study                    étudier      place  library university school room
be/was/being/is          être         state
be/was/being/is          avoir        state
become/became            devenir      event
live                     habiter      state
get/got/getting_up       se_lever     place
go/went_to_bed           se_coucher   place
wake/woke_up             se_réveiller place
have/had/having/has_fun  s'amuser     place
rest                     se_reposer   place
get/got/getting_dressed  s'habiller   place
go/went_to               aller        habit
come/came_back_from      revenir      event
arrive                   arriver      event
leave/left               partir       event
come/came                venir        event
stay                     rester       habit
go/went_out              sortir       habit
fall/fell                tomber       mishap
go/went_home             rentrer      habit
come/came_in             entrer       event
give/gave                donner       oneoff item food clothing flower
show                     montrer      oneoff item clothing home sight animal text art
send/sent                envoyer      oneoff mail gift flower item
lend/lent                prêter       oneoff item vehicle clothing chair
bring/brought            apporter     oneoff item food chair dishware mail dish
explain                  expliquer    oneoff lesson text film answer
talk_to                  parler       oneoff person
answer                   répondre     event  person
write/wrote_to           écrire       habit  person
think/thought            penser       state
hope                     espérer      state
say/said                 dire         state
"""

# present (je tu il nous vous ils) | stem of the future | past participle
IRREGULAR_VERBS = {
    "être": "suis es est sommes êtes sont | ser | été",
    "avoir": "ai as a avons avez ont | aur | eu",
    "aller": "vais vas va allons allez vont | ir | allé",
    "venir": "viens viens vient venons venez viennent | viendr | venu",
    "revenir": "reviens reviens revient revenons revenez reviennent | reviendr | revenu",
    "devenir": "deviens deviens devient devenons devenez deviennent | deviendr | devenu",
    "partir": "pars pars part partons partez partent | partir | parti",
    "sortir": "sors sors sort sortons sortez sortent | sortir | sorti",
    "dormir": "dors dors dort dormons dormez dorment | dormir | dormi",
    "courir": "cours cours court courons courez courent | courr | couru",
    "pouvoir": "peux peux peut pouvons pouvez peuvent | pourr | pu",
    "devoir": "dois dois doit devons devez doivent | devr | dû",
    "vouloir": "veux veux veut voulons voulez veulent | voudr | voulu",
    "savoir": "sais sais sait savons savez savent | saur | su",
    "lire": "lis lis lit lisons lisez lisent | lir | lu",
    "écrire": "écris écris écrit écrivons écrivez écrivent | écrir | écrit",
    "dire": "dis dis dit disons dites disent | dir | dit",
    "voir": "vois vois voit voyons voyez voient | verr | vu",
    "boire": "bois bois boit buvons buvez boivent | boir | bu",
    "ouvrir": "ouvre ouvres ouvre ouvrons ouvrez ouvrent | ouvrir | ouvert",
    "peindre": "peins peins peint peignons peignez peignent | peindr | peint",
    "prendre": "prends prends prend prenons prenez prennent | prendr | pris",
    "apprendre": "apprends apprends apprend apprenons apprenez apprennent | apprendr | appris",
    "comprendre": "comprends comprends comprend comprenons comprenez comprennent | comprendr | compris",
    "connaître": "connais connais connaît connaissons connaissez connaissent | connaîtr | connu",
    "recevoir": "reçois reçois reçoit recevons recevez reçoivent | recevr | reçu",
    "construire": "construis construis construit construisons construisez construisent | construir | construit",
    "suivre": "suis suis suit suivons suivez suivent | suivr | suivi",
}
# -er verbs whose stem changes before a silent ending, and in the future unless its stem follows a "/".
STEM_CHANGES = {
    "acheter": "achèt", "lever": "lèv", "appeler": "appell", "nettoyer": "nettoi", "envoyer": "envoi/enverr",
    "espérer": "espèr/espérer", "préférer": "préfèr/préférer",
}  # fmt: skip
ETRE_VERBS = set("aller venir revenir devenir partir sortir arriver rester tomber rentrer entrer".split())

# what people are, without an article in French: masculine, feminine
PROFESSIONS = {
    "student": ("étudiant", "étudiante"), "teacher": ("professeur", "professeure"), "doctor": ("médecin", "médecin"),
    "lawyer": ("avocat", "avocate"), "nurse": ("infirmier", "infirmière"), "baker": ("boulanger", "boulangère"),
    "journalist": ("journaliste", "journaliste"), "engineer": ("ingénieur", "ingénieure"),
    "musician": ("musicien", "musicienne"), "singer": ("chanteur", "chanteuse"), "writer": ("écrivain", "écrivaine"),
    "architect": ("architecte", "architecte"), "dentist": ("dentiste", "dentiste"), "cook": ("cuisinier", "cuisinière"),
    "farmer": ("fermier", "fermière"),
}  # fmt: skip
NAMES = {
    "Paul": "m", "Marc": "m", "Thomas": "m", "Antoine": "m", "Marie": "f", "Claire": "f", "Julie": "f", "Emma": "f",
}  # fmt: skip
CITIES = {
    "Paris": "Paris",
    "London": "Londres",
    "Rome": "Rome",
    "Madrid": "Madrid",
    "Lyon": "Lyon",
    "Athens": "Athènes",
}
# English: French, gender, plural
COUNTRIES = {
    "France": ("France", "f", False), "Italy": ("Italie", "f", False), "Spain": ("Espagne", "f", False),
    "Germany": ("Allemagne", "f", False), "Japan": ("Japon", "m", False), "Canada": ("Canada", "m", False),
    "Portugal": ("Portugal", "m", False), "the United States": ("États-Unis", "m", True),
}  # fmt: skip
NUMBERS = {
    "two": "deux", "three": "trois", "four": "quatre", "five": "cinq", "six": "six", "seven": "sept", "eight": "huit",
    "nine": "neuf", "ten": "dix", "eleven": "onze", "twelve": "douze", "twenty": "vingt", "thirty": "trente",
    "forty": "quarante", "fifty": "cinquante",
}  # fmt: skip
DAYS = {
    "Monday": "lundi", "Tuesday": "mardi", "Wednesday": "mercredi", "Thursday": "jeudi", "Friday": "vendredi",
    "Saturday": "samedi", "Sunday": "dimanche",
}  # fmt: skip
# "I am hungry" -> "J'ai faim"
IDIOMS = {
    "hungry": "faim", "thirsty": "soif", "cold": "froid", "hot": "chaud", "sleepy": "sommeil", "right": "raison",
    "wrong": "tort", "afraid": "peur",
}  # fmt: skip
