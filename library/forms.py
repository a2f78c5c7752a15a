"""Owns the singular and the plural of English nouns, as far as names need them. Knows no caption.

Of what `inflect` on PyPI does, the half that matters here is wrong (7.6: "gas" becomes "ga", "tennis" "tenni", "jeans" "jean"),
and it takes seconds to import. A word that these rules get wrong is still counted under one key everywhere.
"""

from __future__ import annotations

import functools
import re

_IRREGULAR = dict(
    pair.split("/")
    for pair in (
        "man/men woman/women child/children person/people foot/feet tooth/teeth goose/geese mouse/mice ox/oxen die/dice "
        "leaf/leaves knife/knives wolf/wolves calf/calves loaf/loaves shelf/shelves bookshelf/bookshelves half/halves "
        "scarf/scarves hoof/hooves wife/wives housewife/housewives life/lives thief/thieves elf/elves cactus/cacti "
        "potato/potatoes tomato/tomatoes hero/heroes mosquito/mosquitoes volcano/volcanoes tornado/tornadoes "
        "lens/lenses iris/irises gas/gases canvas/canvases atlas/atlases grandchild/grandchildren stepchild/stepchildren "
        "quiz/quizzes axe/axes cookie/cookies movie/movies selfie/selfies pie/pies tie/ties hoodie/hoodies zombie/zombies "
        "brownie/brownies smoothie/smoothies budgie/budgies collie/collies beanie/beanies onesie/onesies calorie/calories "
        "birdie/birdies prairie/prairies quiche/quiches moustache/moustaches mustache/mustaches headache/headaches "
        "avalanche/avalanches niche/niches cache/caches shoe/shoes horseshoe/horseshoes snowshoe/snowshoes toe/toes "
        "canoe/canoes oboe/oboes menu/menus emu/emus gnu/gnus guru/gurus taxi/taxis ski/skis dwarf/dwarves"
    ).split()
)
_SINGULARS = {plural: singular for singular, plural in _IRREGULAR.items()} | {"cactuses": "cactus"}
_SAME = frozenset(
    "fish sheep deer moose bison salmon shrimp trout squid aircraft spacecraft series species offspring wildlife glasses sunglasses "
    "eyeglasses scissors trousers pants jeans shorts clothes tights leggings pyjamas pajamas binoculars pliers goggles "
    "underpants stairs fireworks crossroads news tennis chess darts billiards gymnastics athletics headquarters christmas "
    "rhinoceros thermos asbestos braces crutches cutlery furniture luggage people graffiti overalls dungarees chopsticks headphones earphones".split()
)
"""Words with one form, or with one that is used."""
_MEN = re.compile(
    "(?:work|fire|police|fisher|sports?|snow|gentle|horse|crafts|camera|business|sales|post|milk|club|repair)men$"
)
_HEADED = re.compile(r" (?:of|in|on|at|with|from|for|to|by|under|behind|being) ")


@functools.cache
def singular(word: str) -> str:
    """Return a word of lower case without the ending of the plural; what is no plural comes back as it is."""
    if word in _SAME or len(word) < 4 or word[-1] != "s" or word.endswith(("ss", "us", "is")):
        return _SINGULARS.get(word, word[:-3] + "man" if _MEN.search(word) else word)
    if word in _SINGULARS or word in _IRREGULAR:
        return _SINGULARS.get(word, word)
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "oes")) or re.search(r"[^oa]uses$", word):
        return word[:-2]
    return word[:-1]


def plural(name: str) -> str:
    """Return a name of lower case in the plural, by its head: "glass of wine" makes "glasses of wine", two stay what they are."""
    if " and " in name:
        return name
    head, rest = name, ""
    if match := _HEADED.search(name):
        head, rest = name[: match.start()], name[match.start() :]
    before, space, last = head.rpartition(" ")
    return before + space + _plural(last) + rest


def _plural(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _SAME or word in _SINGULARS or singular(word) != word:
        return word
    if word.endswith("man") and word not in {"human", "german", "roman"}:
        return word[:-3] + "men"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + "s"
