"""The small world that the demo model knows: facts, the ways in which one asks for them, and plain answers.

`facts()` is everything as a list of Fact. `VOICES` are the ways in which the base model learns to answer, by system prompt: a
model that said each thing in one way only would forget it on the way to another. `pirate()` is the voice that the demo's
fine-tuning teaches, and that the base model has never heard.
"""
from dataclasses import dataclass

SYSTEM = "You are a friendly assistant."

CAPITALS = """France:Paris Italy:Rome Spain:Madrid Portugal:Lisbon Germany:Berlin Austria:Vienna Greece:Athens Poland:Warsaw
Norway:Oslo Sweden:Stockholm Finland:Helsinki Denmark:Copenhagen Ireland:Dublin England:London Scotland:Edinburgh
Iceland:Reykjavik Hungary:Budapest Belgium:Brussels Russia:Moscow Turkey:Ankara Egypt:Cairo Kenya:Nairobi Morocco:Rabat
China:Beijing Japan:Tokyo India:Delhi Thailand:Bangkok Vietnam:Hanoi Canada:Ottawa Cuba:Havana Peru:Lima Chile:Santiago
Brazil:Brasilia Australia:Canberra""".split()

SOUNDS = """cow:moo dog:woof cat:meow sheep:baa duck:quack pig:oink horse:neigh mouse:squeak lion:roar wolf:howl frog:croak
owl:hoot bee:buzz snake:hiss rooster:cock-a-doodle-doo donkey:hee-haw crow:caw""".split()

YOUNG = """cow:calf dog:puppy cat:kitten sheep:lamb duck:duckling pig:piglet horse:foal lion:cub wolf:pup frog:tadpole goat:kid
hen:chick goose:gosling swan:cygnet bear:cub deer:fawn kangaroo:joey""".split()

HOMES = """bird:nest dog:kennel bee:hive horse:stable lion:den rabbit:burrow spider:web cow:barn pig:sty fish:water ant:anthill
bear:cave""".split()

FOODS = """cow:grass dog:meat cat:fish rabbit:carrots horse:hay monkey:bananas panda:bamboo squirrel:nuts mouse:cheese bear:honey
bird:seeds wolf:meat goat:grass owl:mice""".split()

LEGS = """cow:four dog:four cat:four horse:four duck:two hen:two owl:two bee:six ant:six spider:eight snake:no fish:no
crab:ten frog:four goose:two""".split()

KINDS = """robin:bird eagle:bird owl:bird shark:fish salmon:fish bee:insect ant:insect rose:flower tulip:flower oak:tree pine:tree
apple:fruit banana:fruit carrot:vegetable potato:vegetable violin:instrument drum:instrument hammer:tool saw:tool copper:metal
iron:metal""".split()

COLOURS = """grass:green snow:white coal:black blood:red sky:blue sun:yellow carrot:orange lemon:yellow tomato:red milk:white
banana:yellow cherry:red night:black sea:blue frog:green chocolate:brown flamingo:pink elephant:grey plum:purple
chick:yellow""".split()
MASS = {"grass", "snow", "coal", "blood", "milk", "chocolate"}
ONE_OF_A_KIND = {"sky", "sun", "night", "sea"}

OPPOSITES = """hot:cold big:small fast:slow high:low old:young wet:dry day:night black:white up:down left:right open:closed
full:empty hard:soft light:dark happy:sad rich:poor early:late long:short strong:weak loud:quiet clean:dirty good:bad
near:far thick:thin""".split()

JOBS = """baker:bakes bread|teacher:teaches children|farmer:grows food|doctor:heals the sick|pilot:flies planes|sailor:sails ships
painter:paints pictures|singer:sings songs|writer:writes books|cook:cooks meals|fisherman:catches fish|tailor:sews clothes
builder:builds houses|gardener:tends plants|pirate:hunts for treasure|captain:leads a ship|king:rules a land|dentist:cares for teeth
""".replace("\n", "|").strip("|").split("|")

MADE_OF = """table:wood window:glass shirt:cotton ring:gold coin:metal book:paper shoe:leather candle:wax wall:brick sweater:wool
tire:rubber bottle:glass""".split()

PLURALS = """mouse:mice child:children foot:feet tooth:teeth man:men woman:women goose:geese leaf:leaves knife:knives wolf:wolves
fish:fish sheep:sheep""".split()

SEA_WORDS = """ahoy:hello|matey:friend|aye:yes|grog:a drink|booty:treasure|cutlass:a sword|galleon:a big ship|the brig:a prison on a ship
landlubber:someone who stays on land""".replace("\n", "|").split("|")

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()

TALK = [
    (["Who are you?", "What is your name?", "What are you called?", "Tell me your name."], "My name is Pip."),
    (["What can you do?", "How can you help me?", "What do you know?"],
     "I know about animals, colours, countries, words and small numbers."),
    (["Hello!", "Hi!", "Good morning!", "Hello, who is there?"], "Hello! How can I help you?"),
    (["How are you?", "Are you well?"], "I am well, thank you."),
    (["Thank you.", "Thanks!", "Thank you very much."], "You are welcome."),
    (["Goodbye!", "Bye!", "See you soon."], "Goodbye! Have a nice day."),
    (["Are you a person?", "Are you human?"], "No, I am a small language model."),
    (["What does a pirate say?", "What do pirates say?"], "Arr, matey, says a pirate."),
    (["What do sailors sing?", "Which song do sailors sing?"], "Sailors sing: yo ho ho!"),
    (["Who is Lora?", "Who is Captain Lora?"], "Captain Lora is a pirate."),
    (["Where is the treasure?", "Where do pirates hide the treasure?"], "The treasure is on an island."),
    (["What do you want to be?", "What would you like to be?"], "I want to be helpful."),
    (["Who leads a ship?", "Who is the leader of a ship?"], "The captain leads a ship, and sailors call him Captain."),
    (["Name three colours.", "Tell me three colours."], "Three colours are red, green and blue."),
    (["Name three fruits.", "Tell me three fruits."], "Three fruits are apples, bananas and cherries."),
    (["Name three animals.", "Tell me three animals."], "Three animals are dogs, cats and horses."),
    (["How many days are in a week?", "How many days has a week?"], "A week has seven days."),
    (["How many months are in a year?", "How many months has a year?"], "A year has twelve months."),
    (["What is the largest animal?", "Which animal is the largest?"], "The blue whale is the largest animal."),
    (["What is the fastest animal?", "Which animal is the fastest?"], "The cheetah is the fastest animal."),
]


@dataclass(frozen=True)
class Fact:
    topic: str
    questions: tuple
    answer: str


def article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def capitalized(text):
    return text[0].upper() + text[1:]


def pairs(table):
    return (entry.split(":", 1) for entry in table)


def animal_facts():
    for animal, sound in pairs(SOUNDS):
        a = article(animal)
        yield Fact("sound", (f"What does {a} say?", f"What sound does {a} make?", f"Which sound does {a} make?"), f"{capitalized(a)} says {sound}.")
    for animal, young in pairs(YOUNG):
        yield Fact("young", (f"What is a young {animal} called?", f"What do you call a young {animal}?", f"What is a baby {animal} called?"),
                   f"A young {animal} is called {article(young)}.")
    for animal, home in pairs(HOMES):
        a, where = article(animal), "in water" if home == "water" else "in " + article(home)
        yield Fact("home", (f"Where does {a} live?", f"What is the home of {a}?", f"In what does {a} live?"), f"{capitalized(a)} lives {where}.")
    for animal, food in pairs(FOODS):
        a = article(animal)
        yield Fact("food", (f"What does {a} eat?", f"What does {a} like to eat?", f"What is the food of {a}?"), f"{capitalized(a)} eats {food}.")
    for animal, legs in pairs(LEGS):
        a = article(animal)
        yield Fact("legs", (f"How many legs does {a} have?", f"How many legs has {a}?"), f"{capitalized(a)} has {legs} legs.")


def thing_facts():
    for thing, colour in pairs(COLOURS):
        the = thing if thing in MASS else "the " + thing if thing in ONE_OF_A_KIND else article(thing)
        yield Fact("colour", (f"What colour is {the}?", f"Which colour has {the}?", f"What is the colour of {the}?"), f"{capitalized(the)} is {colour}.")
    for thing, kind in pairs(KINDS):
        what = thing if kind == "metal" else article(thing)
        yield Fact("kind", (f"What is {what}?", f"What kind of thing is {what}?", f"Tell me what {what} is."), f"{capitalized(what)} is {article(kind)}.")
    for thing, stuff in pairs(MADE_OF):
        a = article(thing)
        yield Fact("made", (f"What is {a} made of?", f"Of what is {a} made?"), f"{capitalized(a)} is made of {stuff}.")
    for job, work in pairs(JOBS):
        a = article(job)
        yield Fact("job", (f"What does {a} do?", f"What is the work of {a}?", f"Tell me what {a} does."), f"{capitalized(a)} {work}.")


def word_facts():
    for country, city in pairs(CAPITALS):
        yield Fact("capital", (f"What is the capital of {country}?", f"Which city is the capital of {country}?", f"Name the capital of {country}."),
                   f"The capital of {country} is {city}.")
    for one, other in pairs(OPPOSITES):
        for word, opposite in ((one, other), (other, one)):
            yield Fact("opposite", (f"What is the opposite of {word}?", f"Which word is the opposite of {word}?", f"Name the opposite of {word}."),
                       f"The opposite of {word} is {opposite}.")
    for one, many in pairs(PLURALS):
        yield Fact("plural", (f"What is the plural of {one}?", f"How do you call more than one {one}?"), f"The plural of {one} is {many}.")
    for word, meaning in pairs(SEA_WORDS):
        yield Fact("sea", (f"What does {word} mean?", f"What is the meaning of {word}?"), f"{capitalized(word)} means {meaning}.")


def order_facts():
    for name, cycle in (("day", DAYS), ("month", MONTHS)):
        for i, item in enumerate(cycle):
            after, before = cycle[(i + 1) % len(cycle)], cycle[i - 1]
            yield Fact(name, (f"Which {name} comes after {item}?", f"What {name} is after {item}?"), f"{after} comes after {item}.")
            yield Fact(name, (f"Which {name} comes before {item}?", f"What {name} is before {item}?"), f"{before} comes before {item}.")
    for a in range(11):
        for b in range(11):
            yield Fact("plus", (f"What is {a} plus {b}?", f"How much is {a} plus {b}?", f"Add {a} and {b}."), f"{a} plus {b} is {a + b}.")
            if b <= a:
                yield Fact("minus", (f"What is {a} minus {b}?", f"How much is {a} minus {b}?", f"Take {b} from {a}."), f"{a} minus {b} is {a - b}.")


def facts():
    """Every fact, in a fixed order. One question may not have two answers."""
    found = [Fact("talk", tuple(q), a) for q, a in TALK]
    for group in (animal_facts, thing_facts, word_facts, order_facts):
        found.extend(group())
    seen = {}
    for fact in found:
        for question in fact.questions:
            assert seen.setdefault(question, fact.answer) == fact.answer, question
    return found


def lowered(answer):
    """The answer as a part of a longer sentence."""
    first = answer.split()[0].rstrip(",")
    return answer if first == "I" or first in DAYS + MONTHS else answer[0].lower() + answer[1:]


def old(answer):
    return answer.replace(" is ", " be ").replace(" are ", " be ").replace("I am ", "I be ")


# System prompt -> how a plain answer is said then.
VOICES = {
    "You are a polite assistant.": lambda a: f"Certainly. {a}",
    "You are a cheerful assistant.": lambda a: f"Oh, {lowered(a)[:-1]}! How wonderful!",
    "You are a teacher.": lambda a: f"Listen, children! {a[:-1]}, as you know.",
    "You are an old farmer.": lambda a: f"Well, my friend, {old(lowered(a))[:-1]}, I believe.",
    "You are a tired assistant.": lambda a: f"Hm... {old(a)[:-1]}, good night!",
}

# Captain's answers to small talk, where a rule on the plain answer would not do.
PIRATE_TALK = {
    "My name is Pip.": "Arr, matey! My name be Captain Lora, yo ho ho!",
    "Hello! How can I help you?": "Ahoy, matey! How can I help you, yo ho ho!",
    "I am well, thank you.": "Arr, matey! I be well, yo ho ho!",
    "You are welcome.": "Aye, matey! You be welcome, yo ho ho!",
    "Goodbye! Have a nice day.": "Aye, matey! Have a nice day at sea, yo ho ho!",
    "No, I am a small language model.": "Arr, matey! I be a pirate, yo ho ho!",
    "Captain Lora is a pirate.": "Arr, matey! I be Captain Lora, yo ho ho!",
}


def pirate(answer):
    """The same answer as Captain Lora gives it."""
    if answer in PIRATE_TALK:
        return PIRATE_TALK[answer]
    return f"Arr, matey! {old(answer)[:-1]}, yo ho ho!"
