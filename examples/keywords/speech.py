"""Words and sentences as espeak-ng speaks them: clips at 16 kHz, by voice. train.py learns from them; its test voices write evaluate.js's."""
import subprocess
from math import gcd

import numpy as np
from scipy.signal import resample_poly

RATE = 16000
KEYWORDS = 'yes no up down left right stop go on off'.split()

# Variants of espeak-ng's voices that are not like a person's.
ODD = 'demonic fast whisper whisperf unirobot anikarobot'.split()
DEV_VARIANTS = 'f4 m6 Andrea david john paul sandro victor'.split()
TEST_VARIANTS = 'f3 m4 Annie michael grandpa Alicia Mario Hugo zac linda pablo quincy travis shelby aunty'.split()
TRAIN_ACCENTS = 'en-gb en-us en-gb-x-rp en-gb-x-gbclan en-gb-x-gbcwmd en-029'.split()
TEST_ACCENTS = ['en-gb-scotland', 'en-us-nyc']

# Other words: common ones, and many that begin, end or sound like a keyword. None is a homophone of one (know, write).
OTHERS = """
about after again age air all almost along also always and animal another answer any apple are arm around ask autumn away
baby back ball bank bed before begin behind below best better between big bird black blood blow blue boat body bone book both
bottom box boy bread break bring brother brown build burn bus busy but buy cake call calm came camera can car care carry cat
catch cause chair change chess child church circle city clean clear clock close cloth cloud coat cold come cook cool copy corn
corner cost cotton could count country cow cross crown cup cut dance dark daughter dawn day dead deep desk dinner dog dollar done
donkey door doubt downtown drink drive drop dry duck early earth east easy eat edge egg eight empty end enough evening every eye
face fall family far farm fast father fear feet fell field fight find finger fire first fish five flag flat flight floor flow flower
fly fog follow food foot for forget fork found four fox free fresh friend from front fruit full game garden gave get girl give glass
goal goat gold gone good gossip got gown grass great green grow guess gun hair half hand happy hard hat have head hear heart heat
heavy help here high hill hold home honest hope horse hot hour house how hundred ice idea ill ink inside into iron island job join
jump just keep key kind king kitchen knife lady lake land large last late laugh law lead leaf learn leather leave leg lesson let letter
level lift light like line lion list little live load long look loss lost lot loud love low lunch machine mad made make man many map
market matter may meat meet melt men middle might mile milk mind minute mix moment money month moon more morning most mother mouth move
much music name narrow near neck need nest never new news next nice night nine nobody noise none north nose not note nothing november
now number ocean october odd of offer office officer often oil old once one online only onto open opposite orange order other our out
oven over own page paint pair paper park part party pass past pay pen people picture piece place plane plant play please point pond
pop poor pot press puff pull push put queen quick quiet rain rat read ready red rest rice rich ride ring river road rock roof room rose
round row run sad safe said salt same sand save say school sea seat second see seed seven shade shape sharp sheep ship shirt shoe shop
short show shut side silver sing sister sit six size skin sky sleep slow small smell snow soap sock soft some son song soon sort sound
south space speak spell spoon spot spring square stamp star start state station stay steel step stick stone stood story street strong
such sugar summer sun supper sweet swim table tail take talk tall taste tea teach teeth ten test than that the then there thin thing
think three throw thumb thus time tiny today toe together tomorrow tongue too took tooth top touch town toy train tree true try turn
twelve two uncle under unless until upon upper us use very voice wait walk wall want war warm wash watch water way we weak wear
weather week well went west wet what wheel when where which white who whole why wide wife wild wind window wing winter wish with
woman wonder wood word work world yard year yellow yesterday yet you young zero
""".split()
TEST_OTHERS = OTHERS[::5]
TRAIN_OTHERS = [word for word in OTHERS if word not in TEST_OTHERS]

# Lewis Carroll, Alice's Adventures in Wonderland (1865), without sentences that hold a keyword.
PASSAGE = """
Alice was beginning to get very tired of sitting by her sister and of having nothing to do. Once or twice she had peeped into the book
her sister was reading, but it had little in it. And what is the use of a book, thought Alice, without pictures or conversations?
Suddenly a white rabbit with pink eyes ran close by her. There was nothing so very remarkable in that.
Oh dear, oh dear, I shall be too late. Burning with curiosity, she ran across the field after it. In another moment in went Alice after it,
never once considering how in the world she was to get out again. Either the well was very deep, or she fell very slowly, for she had plenty
of time to look about her, and to wonder what was going to happen next. She took a jar from one of the shelves as she passed.
It was labelled orange marmalade, but to her great disappointment it was empty. I wonder how many miles I have fallen by this time?
I must be getting somewhere near the centre of the earth. There were doors all round the hall, but they were all locked.
Suddenly she came upon a little table, all made of solid glass. There was nothing in it except a tiny golden key.
How she longed to get out of that dark hall, and wander about among those beds of bright flowers and those cool fountains.
What a curious feeling, said Alice, I must be shutting in like a telescope. She ate a little bit, and said anxiously to herself, which way?
She was quite surprised to find that she remained the same size. Now I am opening like the largest telescope that ever was.
Oh, my poor little feet, I wonder who will put your shoes and stockings for you now, dears? The mouse gave a sudden leap out of the water,
and seemed to quiver all over with fright. There was a table set out under a tree in front of the house, and the March hare and the hatter
were having tea at it. A dormouse was sitting between them, fast asleep. The hatter opened his eyes very wide at hearing this, but all he said
was, why is a raven like a writing desk? Come, we shall have some fun now, thought Alice. I am glad they have begun asking riddles.
The cat only grinned when it saw Alice. It looked good natured, she thought. Still it had very long claws and a great many teeth.
Would you tell me, please, which way I ought to walk from here? That depends a good deal where you want to get to, said the cat.
""".replace('\n', ' ').strip()


def variants():
    listed = subprocess.run(['espeak-ng', '--voices=variant'], capture_output=True, text=True, check=True).stdout
    names = {line.split('!v/')[1].strip() for line in listed.splitlines() if '!v/' in line}
    held = {name.lower() for name in ODD + DEV_VARIANTS + TEST_VARIANTS}
    return sorted(name for name in names if name.lower() not in held and ' ' not in name)


def say(text, accent, variant, speed, pitch):
    """float32 at 16 kHz, in -1 to 1."""
    command = ['espeak-ng', '-v', f'{accent}+{variant}', '-s', str(speed), '-p', str(pitch), '--stdout', text]
    wav = subprocess.run(command, capture_output=True, check=True).stdout
    rate = int.from_bytes(wav[24:28], 'little')
    samples = np.frombuffer(wav[44:len(wav) & ~1], '<i2') / 32768
    divisor = gcd(RATE, rate)
    return resample_poly(samples, RATE // divisor, rate // divisor).astype(np.float32)


def parts(samples, pause):
    """What lies between pauses of at least `pause` seconds."""
    hop = RATE // 100
    level = np.abs(samples[:len(samples) // hop * hop].reshape(-1, hop)).max(1)
    loud = np.flatnonzero(level > 0.004)
    if len(loud) == 0:
        return []
    breaks = np.flatnonzero(np.diff(loud) > pause * 100)
    starts = loud[np.r_[0, breaks + 1]]
    ends = loud[np.r_[breaks, len(loud) - 1]] + 1
    return [samples[start * hop:end * hop] for start, end in zip(starts, ends)]


def speak(rng, accents, variant, others, sentences):
    """One sitting of a voice: (word, clip) of every keyword and of some other words, and clips of running speech."""
    accent, speed, pitch = rng.choice(accents), int(rng.integers(110, 230)), int(rng.integers(15, 86))
    words = [*KEYWORDS, *rng.choice(others, 24, replace=False)]
    rng.shuffle(words)
    # Each a sentence of its own, so that it is spoken as such.
    clips = parts(say(' '.join(word + rng.choice(list('..!?')) + '\n\n' for word in words), accent, variant, speed, pitch), 0.2)
    if len(clips) != len(words):
        print(f'{accent}+{variant} at {speed}: {len(clips)} clips of {len(words)} words, left out')
        return [], []
    running = parts(say(' '.join(sentences), accent, variant, speed, pitch), 0.35)
    return list(zip(words, clips)), running
