"""Owns the everyday subjects that name a photo without a caption, and their CLIP prompts. Never loads a model."""

from __future__ import annotations

import re

_PHRASES = """
a portrait of a person; a selfie; a group of friends; a family portrait; a couple; an old woman; an old man; a crowd of people
a baby; a toddler; children playing; a pregnant woman; a school class; a teenager; a father and child; a mother and child
a grandparent with a grandchild; a person sleeping; a person laughing; a person from behind; a person reading; a person cooking
a person on a phone; people dancing; people hugging; people at a table; people working; hands; feet; an eye; a tattoo
a haircut; a costume; makeup

a birthday cake; a birthday party; a wedding ceremony; a bride and groom; a christening; a funeral; a graduation; a school play
a first day of school; a Christmas tree; Christmas presents; Easter eggs; a Halloween pumpkin; New Year's Eve fireworks
a carnival parade; a Hanukkah menorah; a Ramadan dinner; a Diwali celebration; a Chinese New Year celebration; balloons
a speech; a toast with glasses; a barbecue; a picnic; a campfire; a concert; a theatre stage; a museum exhibit; a street festival
a market stall; a fairground ride; a zoo enclosure; an aquarium; a circus; a conference talk; an office party; a protest march

a dog; a puppy; a cat; a kitten; a rabbit; a hamster; a guinea pig; a parrot; a chicken; a duck; a swan; a gull; an owl
a bird in a tree; a bird feeder; a horse; a pony ride; a donkey; a cow; a sheep; a goat; a pig; a deer; a fox; a squirrel; a hedgehog
a bear; an elephant; a giraffe; a lion; a monkey; a penguin; a seal; a dolphin; a whale; a fish; a shark; a turtle; a lizard; a snake
a frog; a butterfly; a bee; a beetle; a spider; a snail; a ladybird; a dragonfly; a jellyfish

a plate of food; breakfast; a bowl of soup; a salad; a pizza; a hamburger; sushi; pasta; a steak; grilled meat; a fish dish
a curry; a sandwich; bread; cheese; a dessert; an ice cream; a slice of cake; biscuits; pancakes; chocolate; fruit; vegetables
mushrooms; a cup of coffee; a cup of tea; a glass of beer; a glass of wine; a cocktail; a bottle; a restaurant table
a supermarket shelf; a lunch box; a cooking pot; dough being kneaded

a beach; the sea; waves on rocks; a lake; a river; a waterfall; a mountain; a snowy mountain; a glacier; a hiking trail; a forest
a tree; autumn leaves; a meadow; a field of crops; a vineyard; a desert; a canyon; a cave; a cliff; an island; a volcano; a hot spring
a sunset; a sunrise; a blue sky; clouds; a rainbow; fog; rain on a window; lightning; snowfall; a frozen lake; ice; the moon
a starry night sky; the northern lights; a flower; a rose; a sunflower; tulips; a bouquet of flowers; cherry blossoms; a cactus; grass
moss; a potted plant; seashells; stones; driftwood; a puddle

a city skyline; a city street; a street at night; a town square; a skyscraper; a church; a mosque; a temple; a synagogue; a castle
a palace; ruins; a bridge; a tower; a lighthouse; a harbour; a fountain; a statue; a monument; a cemetery; graffiti; a mural
a shop window; a shopping centre; a cafe; a bar; a hotel room; a hotel lobby; a swimming pool; a playground; a park bench; a garden
a greenhouse; a farm; a barn; a windmill; a factory; a construction site; a crane; a stadium; a library; a classroom; a hospital room
a doctor's waiting room; a road through countryside; a tunnel; a staircase; a doorway; a balcony view; a roof; a view from a window

a house; a living room; a kitchen; a bedroom; a bathroom; a nursery; an office desk; a dining table; a sofa; a bed; a bookshelf
a wardrobe; a fireplace; a lamp; a mirror; a window; a washing machine; a refrigerator; an oven; a cupboard; a carpet; a garage
a workshop; a tool; a moving box; a room being renovated; a wall being painted; furniture assembly; a leak or damage; an electricity meter
a boiler; wiring; a lawn mower; a compost heap; laundry; a candle; a vase; a clock; a pile of toys; a teddy bear; a doll; building bricks
a toy train; a board game; playing cards; a jigsaw puzzle; a child's drawing; a craft project; knitting; a sewing machine

an airport; an aeroplane; a view from an aeroplane window; a train; a railway station; an underground station; a bus; a tram; a taxi
a car; a car interior; a dashboard; a car accident; a licence plate; a parking garage; a petrol station; a charging station; a motorcycle
a bicycle; a scooter; a lorry; a tractor; a fire engine; a boat; a sailing boat; a ferry; a cruise ship; a canoe; a cable car
a hot air balloon; a helicopter; a tent; a camper van; a suitcase; a backpack; a road sign; a map; a boarding pass

football; a basketball game; tennis; volleyball; table tennis; golf; baseball; cricket; ice hockey; swimming; diving underwater; surfing
rowing; skiing; snowboarding; sledging; ice skating; skateboarding; cycling; running; a marathon; a gym; yoga; gymnastics; ballet
martial arts; rock climbing; horse riding; fishing; a medal; a trophy; a team photo; a referee; a chess game; a bowling alley
a guitar; a piano; a violin; drums; a choir; an orchestra; a microphone; a record player

a document; a handwritten note; a letter; a receipt; an invoice; a form; a contract; an identity card; a passport; a bank card; a ticket
a business card; a book page; a book cover; a newspaper; a magazine; a whiteboard; a presentation slide; a chart; a diagram
a floor plan; a recipe; a menu; a shopping list; a calendar; a timetable; a poster; a greeting card; a postcard; a price tag
a product label; a barcode; a QR code; a serial number; a parcel; an instruction manual; sheet music; a school exercise; a medicine package
an X-ray; an ultrasound scan; a skin rash; a bandage; a thermometer

a screenshot of a chat; a screenshot of a website; a screenshot of a map; a screenshot of a game; a screenshot of an error message
a phone home screen; a computer screen; a television screen; a video call; a meme; a cartoon; a comic; a logo; a painting; a drawing
a sculpture; an old black and white photo; a photo album; a scanned slide; a pattern; a black picture; a blurred picture; an overexposed picture

a smartphone; a laptop; a keyboard; a printer; a camera; headphones; a watch; glasses; a pair of shoes; a dress; a shirt; trousers
a coat; a hat; a scarf; a handbag; jewellery; a ring; an umbrella; keys; money; coins; a stamp collection; a wallet
a knife; a fork; a spoon; scissors; a key rack; a mug; a plate; a bucket; a ladder; a wheel; a battery; a light bulb; a robot; a drone
"""
"""One topic a paragraph (people, events, animals, food, nature, places, home, travel, sport and music, papers, pictures of
pictures, things), each subject with the article English gives it. Drawn up in November 2026 for a family's phone library."""

_SUBJECTS = {
    re.sub(r"^(an?|the) ", "", phrase): phrase
    for phrase in (part.strip() for part in re.split(r"[;\n]", _PHRASES))
    if phrase
}
VOCABULARY: tuple[str, ...] = tuple(_SUBJECTS)
"""What a photo without a caption may be called: plain words, no two for the same thing."""


def prompt(subject: str) -> str:
    """Return the sentence that stands for a subject of `VOCABULARY` before CLIP's text encoder.

    CLIP was trained on sentences; "a photo of a {label}." instead of the bare word gained 1.3 points on ImageNet
    (Radford et al. 2021, arXiv:2103.00020, section 3.1.4).
    """
    return f"a photo of {_SUBJECTS[subject]}."
