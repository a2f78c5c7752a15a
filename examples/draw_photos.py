"""Owns the example photos: draws photos/, beside this script, from noise, polygons and ellipsoids.

The solid scenes are tables: o is an ellipsoid (paint, then centre and radii, once or at both ends), l a chain of
balls (paint, then x y z radius a point), * adds a mirror image; a paint is a colour[/colour/pattern][,gloss].
"""

import io
import struct
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from numpy import sin
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Arr = NDArray[Any]
Solid = tuple[str, Arr, Arr]  # paint, centre, radii
W, H = 1120, 840


def rgb(text: str) -> Arr:
    return np.frombuffer(bytes.fromhex(text), np.uint8) / 255


def pixels(img: Arr) -> Image.Image:
    return Image.fromarray((np.clip(img, 0, 1) * 255 + 0.5).astype(np.uint8))


def noise(seed: int, h: int, w: int, cells: tuple[float, float], octaves: int, ridged: bool = False) -> Arr:
    rng, total = np.random.default_rng(seed), np.zeros((h, w), np.float32)
    for i in range(octaves):
        coarse = rng.random((int(cells[0] * 2**i) + 3, int(cells[1] * 2**i) + 3), np.float32)
        a = np.asarray(Image.fromarray(coarse).resize((w, h), Image.Resampling.BICUBIC))
        total += (1 - abs(2 * a - 1) if ridged else a) * 0.5 ** (i + 1)
    return total


def ramp(h: int, w: int, stops: str) -> Arr:
    at, tones = [float(v) for v in stops.split()[::2]], np.stack([rgb(v) for v in stops.split()[1::2]])
    return np.stack([np.full((w, h), np.interp(np.linspace(0, 1, h), at, tone)).T for tone in tones.T], -1)


def lay(img: Arr, what: str, tone: str, soft: float = 0.0, alpha: float = 1.0) -> None:
    """Paint soft shapes: o and r are an ellipse and a rectangle (x0 y0 x1 y1), p is a polygon."""
    pen = ImageDraw.Draw(sheet := Image.new("L", (img.shape[1] * 2, img.shape[0] * 2)))
    for kind, *words in map(str.split, what.split(";")):
        {"o": pen.ellipse, "r": pen.rectangle, "p": pen.polygon}[kind]([2 * float(v) for v in words], 255)
    mask = sheet.resize(img.shape[1::-1], Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(soft))
    img += np.asarray(mask, np.float32)[..., None] / 255 * alpha * (rgb(tone) - img)


def finish(img: Arr) -> Image.Image:  # the camera's part: bloom, a vignette, film grain
    bloom = np.asarray(pixels(img - 0.75).filter(ImageFilter.GaussianBlur(28)), np.float32) / 255
    yy, xx = np.mgrid[-1 : 1 : img.shape[0] * 1j, -1 : 1 : img.shape[1] * 1j]
    grain = np.random.default_rng(1).normal(0, 0.012, (*img.shape[:2], 1))
    return pixels((img + 0.3 * bloom) * (1 - 0.13 * (xx**2 + yy**2))[..., None] + grain)


def mirror(img: Arr, line: int, wave: float, streak: float) -> None:  # still water below a line
    h, w = img.shape[:2]
    depth, ripple = np.arange(h - line)[:, None] + 1.0, noise(8, h - line, w, (70, 6), 3) - 0.45
    rows = line - depth * min(1.0, line / (h - line)) + ripple * depth**0.75 * wave
    water = img[np.clip(rows, 0, line - 1).astype(int), np.arange(w)]
    long = np.asarray(pixels(water).resize((w, 12)).resize((w, h - line))) / 255
    img[line:] = (long * streak + water * (1 - streak)) * rgb("bcbecf") + ripple[..., None] * 0.05


LANDS = {  # sky, haze, seed and horizon; sunlight (3), the peak's place (2), height, all heights; rows of pines
    "lake": """0 45619e .3 b89eb8 .5 ffc294 1 ffd9a8|edbdad|11 504|1.5 1 .72 .12 .8 .75 1
        5 60 -20 400 505 60 172627|7 30 860 1150 505 84 172627""",
    "peak": """0 295cb3 .6 99c4eb 1 dbe6f0|dbe6f0|27 781|1.15 1.08 .95 -.05 .75 1.25 1
        30 90 -20 1140 780 120 44564f|31 45 -20 1140 810 190 354243|32 18 -20 1140 845 300 181f23""",
    "sunset": """0 333373 .25 9e5785 .44 fa8c5c .54 ffcc73|c07870|44 453|.9 .4 .2 0 .9 0 .4
        1 12 -20 150 455 60 291729""",
}
BOAT = "p 300 447 372 447 360 462 312 462; p 338 355 338 442 378 440; p 333 368 333 442 300 440"


def land(name: str) -> Image.Image:
    """A height field drawn far to near, a line of ground at a time: snow up high, rock, then woods."""
    (sky, fog, place, light), trees = (line.strip().split("|") for line in LANDS[name].split("\n"))
    (seed, foot), sun = map(int, place.split()), np.array(light.split(), float)
    img, n, t, dusk = ramp(H, W, sky), 640, np.linspace(0, 1, 26), name == "sunset"
    img += np.clip(noise(seed - 8, H, W, (8, 2.5), 6) * 2.8 - 1.35, 0, 0.7)[..., None] * (rgb(fog) - img)
    lay(img, f"o 510 {foot - 192} 870 {foot + 88}", "ff9d48", 80, 0.9 * dusk)
    lay(img, f"o 650 {foot - 92} 730 {foot - 12}", "fff2bf", 1.5, float(dusk))
    z, x = np.mgrid[0 : 1 : n * 1j, -1 : 1 : n * 1j]
    lift = sun[5] * np.exp(-(((x - sun[3]) / 0.3) ** 2) - ((z - sun[4]) / 0.22) ** 2)
    lift = (lift + 0.15 + 0.75 * np.minimum(abs(x) * 1.5, 1) * z) * np.clip(z * 4 - 0.5, 0, 1) * sun[6]
    ground = np.maximum((noise(seed, n, n, (5, 5), 8, True) - 0.3) * lift, 0)
    gz, gx = np.gradient(ground, 1 / n, 2 / n)
    lit = np.clip((0.75 * gx + 0.36 + 0.35 * gz) / np.sqrt(gx**2 + gz**2 + 0.64), 0, 1)[..., None] * sun[:3]
    rough, high = noise(seed + 1, n, n, (40, 40), 4)[..., None], ground[..., None]
    base = np.broadcast_to(rgb("574f4f"), (n, n, 3))
    for share, tone in ((1 - 25 * high + 3.1 * rough, "1f3021"), (22 * high + 5.5 * rough - 6.5, "edf0fa")):
        base = base + np.clip(share, 0, 1) * (rgb(tone) - base)
    lit = base * (0.7 + 0.6 * rough) * (rgb("4d5c80") + lit)
    for k in range(n - 1, 0, -1):
        at = np.clip((0.5 + (np.arange(W) / W - 0.5) * (0.5 + k / n) * 0.62) * n, 0, n - 2)
        i, f = at.astype(int), at[:, None] % 1
        up, colour = (a[k, i] * (1 - f) + a[k, i + 1] * f for a in (high, lit))
        top = foot - up[:, 0] * H * 1.15 / (0.5 + k / n)
        haze = (k / n) ** 1.5 * 0.62 + 0.25 * np.exp((top - foot) / H * 14)[:, None] * k / n
        cover, part = np.arange(int(top.min()), foot)[:, None] - top + 0.5, img[int(top.min()) : foot]
        part += np.clip(cover, 0, 1)[..., None] * (colour + haze * (rgb(fog) - colour) - part)
    for *row, green in map(str.split, trees):
        number, count, left, right, y, size = map(int, row)
        rng, shapes = np.random.default_rng(number), [BOAT if dusk else f"r {left} {y} {right} {H + 9}"]
        for middle, tall in rng.uniform((left, 0.55 * size), (right, 1.1 * size), (count, 2)):
            half = tall * 0.19 * (t * 0.95 + 0.02) * np.where(np.arange(26) % 2, 1.15, 0.6)
            edge = [np.stack([middle + s * half, y - tall * (1 - t)], -1)[::s] for s in (-1, 1)]
            shapes.append("p " + " ".join(map(str, np.concatenate(edge).ravel())))
        lay(img, ";".join(shapes), green, 0.7)
    if foot < 700:
        mirror(img, foot, 1.3, 0.3 * dusk)
    return finish(img)


def skyline(step: int = 0, w: int = W, h: int = H) -> Image.Image:
    img, line, rng = ramp(h, w, "0 080d24 .4 212452 .64 804d61"), int(h * 0.64), np.random.default_rng(102)
    lay(img, "o 195 80 275 160", "8a8cb8", 24, 0.6)
    lay(img, "o 210 95 260 145", "fff7e0", 1)
    yy, cell = np.arange(line)[:, None], np.pad(np.ones((5, 4), int), 2)
    for k, tone in enumerate(("4d3857", "292140", "0f0f21")):
        wide = rng.integers(5, 11, 60) * 8
        tall = rng.uniform(60, 290, 60) * np.exp(-(((np.cumsum(wide) / w - 0.6) / 0.28) ** 2))
        roof = np.repeat(line - rng.uniform(50, 110, 60) - tall * (1, 0.85, 0.42)[k], wide)[:w]
        img[:line][yy > roof] = rgb(tone)
        window = rng.integers(0, 9, (line // 9 + 1, w // 8 + 1))
        window[np.random.default_rng(step).random(window.shape) < 0.1] = 9
        for number, light in enumerate(("ffbd5c", "ffdb9e", "a6d1ff")):
            on = np.kron(window == number, cell)[:line, :w] * (yy > roof + 8) * (yy < line - 8)
            img[:line][on > 0] = rgb(light) * (0.7, 0.85, 1)[k]
    lamps = ";".join(f"o {x - 4} {line - 14} {x + 4} {line - 6}" for x in range(20, w, 62))
    lay(img, lamps, "ffd08a", 1.5)
    mirror(img, line, 2.6, 0.72)
    return finish(img * 1.2)


PATTERNS: dict[str, Callable[[Arr, Arr, Arr], Arr]] = {
    "stripe": lambda x, y, z: sin(y * 30 + x * 4 + 0 * z) > 0.1,
    "wood": lambda x, y, z: sin(z * 26 + 2.2 * sin(x * 1.3) + sin(z * 7 + x) + 0 * y) * 0.2 + 0.2,
    "fur": lambda x, y, z: np.clip(sin(np.where(y > 1.28, abs(x) * 34, y * 21 + z * 4)) - 0.2, 0, 0.7),
    "rug": lambda x, y, z: (np.hypot(x, z) * 2.2 % 1 < 0.25) + 0.15 * sin(x * 90) * sin(z * 90) + 0 * y,
    "sponge": lambda x, y, z: (abs(y % 0.24 - 0.12) < 0.04) + 0.1 * sin(x * 50) * sin(y * 60 + z * 40),
}


def solids(table: str, at: tuple[float, ...] = (0, 0, 0), tilt: float = 0, **tones: object) -> list[Solid]:
    """Read a table of solids and stand it somewhere, tilted sideways."""
    out: list[Solid] = []
    turn = np.array([[np.cos(tilt), -sin(tilt), 0], [sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    for kind, paint, *words in map(str.split, table.format(**tones).replace("\n", ";").split(";")):
        rows = np.array(words, float).reshape(-1, 4 if kind[0] == "l" else 6)
        steps = np.linspace(0, len(rows) - 1, 1 + (len(rows) - 1) * int(np.ptp(rows[:, :3], 0).max() * 90))
        chain = np.stack([np.interp(steps, range(len(rows)), column) for column in rows.T], -1)
        for side in (1, -1)[: len(kind)]:
            spots = chain[:, :3] * [side, 1, 1] @ turn + at
            out += zip([paint] * len(spots), spots, np.broadcast_to(chain[:, 3:], spots.shape), strict=True)
    return out


def see(scene: list[Solid], view: Arr, h: int, w: int, zoom: float) -> tuple[Arr, Arr]:
    """Look along a direction: the depth and the number of the nearest solid at every pixel."""
    depth, which = np.full((h, w), -99.0), np.full((h, w), -1)
    for k, (_, centre, radii) in enumerate(scene):
        a, (x, y, z), r = view / radii**2 @ view.T, view @ centre, np.linalg.norm(view * radii, axis=1)
        x0, x1 = (int(np.clip(w / 2 + (x + e * r[0]) * zoom + 1, 0, w)) for e in (-1, 1))
        y0, y1 = (int(np.clip(h / 2 - (y - e * r[1]) * zoom + 1, 0, h)) for e in (-1, 1))
        dx, dy = (np.arange(x0, x1) - w / 2) / zoom - x, ((h / 2 - np.arange(y0, y1)) / zoom - y)[:, None]
        b = a[0, 2] * dx + a[1, 2] * dy
        root = b * b - a[2, 2] * (a[0, 0] * dx * dx + 2 * a[0, 1] * dx * dy + a[1, 1] * dy * dy - 1)
        top = z + (np.sqrt(np.maximum(root, 0)) - b) / a[2, 2]
        win = (root > 0) & (top > depth[y0:y1, x0:x1])
        depth[y0:y1, x0:x1][win], which[y0:y1, x0:x1][win] = top[win], k
    return depth, which


def render(scene: list[Solid], back: Arr, middle: float, pitch: float, zoom: float) -> Image.Image:
    """Light the solids: sun with a soft shadow, sky light with occlusion, gloss; then shrink the picture."""
    h, w, zoom = H * 3 // 2, W * 3 // 2, zoom * 1.5
    names, low = np.array([s[0] for s in scene]), np.array([0, middle, 0])
    scene = [(paint, centre - low, radii) for paint, centre, radii in scene]
    view = np.array([[1, 0, 0], [0, np.cos(pitch), -sin(pitch)], [0, sin(pitch), np.cos(pitch)]])
    lamp = np.array([[0.825, 0, 0.565], [0.385, 0.732, -0.563], [-0.413, 0.682, 0.604]])
    (depth, which), (dark, _) = see(scene, view, h, w, zoom), see(scene, lamp, 1200, 1200, 150)
    (yy, xx), seen = np.nonzero(which >= 0), which >= 0
    p, of = np.stack([(xx - w / 2) / zoom, (h / 2 - yy) / zoom, depth[seen]], -1) @ view, which[seen]
    normal = (p - np.array([s[1] for s in scene])[of]) / np.array([s[2] for s in scene])[of] ** 2
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    paint, gloss = np.zeros_like(p), np.zeros(len(p))
    for name in set(names):
        mine, look = (names == name)[of], (name + ",0.15").split(",")
        first, last, pattern = (look[0].split("/") * 3)[:3]
        share = PATTERNS.get(pattern, PATTERNS["stripe"])(*(p[mine] + low).T)[:, None]
        gloss[mine], paint[mine] = float(look[1]), rgb(first) + share * (rgb(last) - rgb(first))
    q, shade = p @ lamp.T, np.zeros(len(p))
    for dx, dy in np.random.default_rng(1).normal(0, 5, (24, 2)):
        i, j = np.clip([600 - q[:, 1] * 150 + dy, 600 + q[:, 0] * 150 + dx], 0, 1199).astype(int)
        shade += (q[:, 2] > dark[i, j] - 0.06) / 24
    near, half = pixels(depth / 8 + 0.5), lamp[2] + view[2]
    hollow = [np.asarray(near.filter(ImageFilter.GaussianBlur(r)), float) - near for r in (6, 20, 50)]
    free = 1 - np.clip(hollow, 0, 12).sum(0)[seen] / 42
    shiny = np.clip(normal @ half / np.linalg.norm(half), 0, 1) ** (8 + 90 * gloss) * gloss * 1.2
    sun = np.clip(normal @ lamp[2] * 0.85 + 0.15, 0, 1) * shade
    sky = (free * (0.7 + 0.3 * normal[:, 1]))[:, None] * [0.6, 0.58, 0.62]
    light = paint**2.2 * (sun[:, None] * [1.75, 1.5, 1.2] + sky) + (shiny * shade)[:, None]
    light *= (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    out = np.asarray(pixels(back).resize((w, h))) / 255
    out[seen] = np.clip(light, 0, 1) ** (1 / 2.2)
    return finish(np.asarray(pixels(out).resize((W, H), Image.Resampling.LANCZOS)) / 255)


CAT = """o {fur} 0 .62 -.25 .58 .66 .62; o {fur} 0 .98 -.02 .42 .56 .4; o f7edde 0 .9 .2 .25 .38 .26
o* {fur} .4 .3 .05 .27 .32 .42; l* {fur} .17 .8 .22 .15 .17 .12 .36 .12; o* f7edde .17 .09 .43 .14 .1 .18
l {fur} .4 .12 -.5 .12 .85 .12 -.3 .12 1 .12 .1 .12 .86 {tail} .42 .11 .62 {tip} .55 .08
o 547a85/e6dbc4/rug,0 0 0 0 1.75 .03 1.75; o d14047/8f2c31/stripe -.98 .25 .45 .22 .22 .22
o 9e6e47/5e4129/wood,.1 0 -.05 0 40 .02 2.6"""
FACE = """o {fur} 0 0 .12 .5 .42 .42; o {fur} 0 -.13 .3 .4 .26 .26; o* f7edde .11 -.16 .5 .15 .12 .12
l* {fur} .27 .26 .1 .2 .4 .6 .08 .03; l* eb8c85 .28 .3 .21 .12 .385 .53 .14 .015
o* 1a0f0a .205 .06 .455 .125 .13 .09; o* 9ec740,.9 .205 .06 .475 .112 .118 .085
o* 0a0805,.9 .205 .06 .5 .06 .1 .075; o ffffff .165 .11 .565 .026 .028 .016
o ffffff -.245 .11 .565 .026 .028 .016; o f7edde 0 -.27 .46 .12 .09 .1; o eb8c85,.5 0 -.07 .605 .06 .042 .04
l* ffffff .2 -.15 .58 .006 .72 -.15 .56 .003; l* ffffff .2 -.19 .58 .006 .72 -.29 .56 .003"""
PERSON = """o {skin} 0 0 0 .31 .37 .32; o {skin} 0 -.12 .02 .285 .27 .29; o {skin} 0 -.04 .33 .05 .06 .06
o* {skin} .31 -.02 0 .06 .09 .05; o* 0f0a08,0 .118 .05 .285 .042 .056 .028; o* ffffff .106 .07 .31 .013 .015 .008
l* {hair} .07 .175 .3 .009 .125 .185 .285 .012 .185 .16 .262 .009; o {hair},.08 .08 .27 .13 .22 .1 .17
l 8c2a28 -.12 -.14 .285 .008 -.065 -.183 .294 .014 0 -.197 .298 .017 .065 -.183 .294 .014 .12 -.14 .285 .008
o {hair},.08 0 .13 -.07 .355 .3 .335; l {skin} 0 -.23 -.03 .13 0 -.53 -.05 .16
o {shirt} 0 -.98 -.06 .46 .52 .27; l {shirt} 0 -.83 -.06 .4 0 -2.53 -.06 .46
l* {shirt} .12 -.57 -.06 .13 .4 -.71 -.06 .16 .44 -.73 -.05 .16 .56 -1.63 .05 .12"""
STYLES = """hat l {hat}/faedcc/stripe 0 .33 0 .2 0 .78 -.04 .02; o ffd966 0 .8 -.04 .06 .06 .06
long l* {hair},.08 .27 .18 -.04 .12 .36 -.15 -.02 .13 .33 -.55 .06 .07
bun o {hair},.08 0 .5 -.1 .17 .16 .17
beard l {hair},.1 -.27 -.1 .07 .05 -.22 -.26 .11 .085 0 -.36 .2 .1 .22 -.26 .11 .085 .27 -.1 .07 .05
curly l* {hair} .16 .36 .1 .13 .3 .24 .06 .13 .35 .02 0 .12 .33 -.12 -.05 .1"""
PEOPLE = """-1.52 1.5 -.25 .1 f2c4a8 d49947 edb340 - long
-.78 1.72 -.7 -.05 8c5c40 1a120f 337a78 ed5966 hat curly
.02 1.36 .1 .04 e6b08c 522e1a d9454d/f7f0e6/stripe - bun
.8 1.76 -.7 .06 edbda1 a8a199 4d619e 4d99cc hat beard
1.55 1.46 -.25 -.1 c28a63 241712 995c9e fab840 hat"""
CAKE = """o 9e6e47/5e4129/wood,.1 0 -.02 1 40 .02 3.2; o eceff0,.9 0 .06 0 1.35 .05 1.35
o b87847/faeddb/sponge 0 .1 0 1 .3 1 0 .5 0 1 .3 1; o f08c9e,.5 0 .7 0 1.04 .22 1.04"""
RINGS = """30 .98 l f08c9e,.5 0 .72 0 .075 0 {low} 0 .06
14 .8 o faeddb 0 .88 0 .15 .09 .15; o faeddb 0 .96 0 .09 .08 .09
7 .8 o c70f1a,.9 0 1.05 0 .1 .1 .1
7 .45 l {t}/faf7f2/stripe 0 .85 0 .035 0 1.3 0 .035; l 1a1a1a 0 1.3 0 .007 0 1.36 0 .007
7 .45 l ffd23c 0 1.4 0 .03 0 1.44 0 .034 0 1.56 0 .003
30 0 o {t},.7 0 .03 0 .06 .035 .06"""

CHAT = """<|13:58|Found this from last summer!
<|13:58
>|14:01|Oh wow, that morning at the lake|I was so cold :)
<|14:03|Same trip again this August?
>|14:05|Yes! I will bring the tent|and you bring the coffee"""


def cat(step: int = 0) -> Image.Image:
    back = ramp(H, W, "0 ccb394 1 9e806b")
    leaves = "o 910 160 1090 240; o 880 94 1040 166; o 970 70 1120 150; o 852 26 1008 94; o 900 -10 1080 70"
    lay(back, leaves, "4d7042", 12)
    lay(back, "p 930 330 1050 330 1030 470 950 470", "c76b47", 10)
    lay(back, "r 60 -20 180 160; r 210 -20 330 160; r 60 190 180 380; r 210 190 330 380", "faf5e6", 10)
    fur = "e68f45/8a3f18/fur"
    scene = solids(CAT, fur=fur, tail=0.12 + 0.08 * step, tip=0.12 + 0.16 * step)
    scene += solids(FACE, (0.05 * step, 1.5, 0), fur=fur)
    return render(scene, back, 1.05, 0.28, 300)


def party() -> Image.Image:
    back, scene = ramp(H, W, "0 805242 1 573833"), []
    for i in range(11):
        y = 52 + 58 * sin(np.pi * i / 10)
        flag = f"p {i * 112 - 44} {y} {i * 112 + 44} {y + 3} {i * 112} {y + 84}"
        lay(back, flag, ("e66666", "f2c766", "66a8b3")[i % 3], 5, 0.9)
    for *spot, skin, hair, shirt, hat, style in (row.split(maxsplit=8) for row in PEOPLE.split("\n")):
        x, y, z, tilt = map(float, spot)
        table = ";".join([PERSON, *(s.split(" ", 1)[1] for s in STYLES.split("\n") if s.split()[0] in style)])
        scene += solids(table, (x, y, z), tilt, skin=skin, hair=hair, shirt=shirt, hat=hat)
    for x, top, t in ((-2, 2.5, "e64d5c"), (-1.6, 2.8, "fac24d"), (1.9, 2.8, "599ed1"), (2, 2.4, "e67399")):
        scene += solids("o {t},.9 0 0 0 .27 .33 .27; l e6e6e6 0 -.3 0 .008 0 -2 0 .008", (x, top, -1.8), t=t)
    return render(scene, back, 1.6, 0.05, 250)


def cake() -> Image.Image:
    back, rng, scene = ramp(H, W, "0 29171a 1 42241f"), np.random.default_rng(152), solids(CAKE)
    for x, y, r in rng.uniform((0, 0, 12), (W, 500, 45), (50, 3)):
        lay(back, f"o {x - r} {y - r} {x + r} {y + r}", ("ffb359", "e68f70")[int(x) % 2], 2.5, r / 130)
    for count, r, table in (row.split(maxsplit=2) for row in RINGS.split("\n")):
        for i in range(int(count)):
            a, far = i * (2 * np.pi / int(count) if float(r) else 2.4), float(r) or rng.uniform(1.5, 3)
            tint, low = ("59a8d9", "facc59", "8cc780")[i % 3], 0.7 - rng.uniform(0.08, 0.38)
            scene += solids(table, (far * np.cos(a), 0, far * sin(a)), t=tint, low=low)
    return render(scene, back, 0.75, 0.42, 330)


def screenshot() -> Image.Image:
    page, y = Image.new("RGB", (1080, 1920), "#e4eaf3"), 340
    pen, font = ImageDraw.Draw(page), [ImageFont.load_default(size) for size in (30, 44, 56)]
    pen.rectangle((0, 0, 1080, 264), "white")
    pen.ellipse((60, 128, 170, 238), "#f29e59")
    pen.text((210, 145), "Mara", "#1e222c", font[2])
    for who, clock, *lines in (row.split("|") for row in CHAT.split("\n")):
        text, mine = "\n".join(lines), who == ">"
        box = pen.multiline_textbbox((40, 22), text, font[1], spacing=14) if lines else (0, 0, 640, 482)
        wide, tall, x = int(box[2]) + 40, int(box[3]) + 38, 1000 - int(box[2]) if mine else 40
        pen.rounded_rectangle((x, y, x + wide, y + tall), 40, "#2980f2" if mine else "white")
        pen.multiline_text((x + 40, y + 22), text, "white" if mine else "#1e222c", font[1], spacing=14)
        if not lines:
            page.paste(land("lake").resize((640, 480), Image.Resampling.LANCZOS), (x + 20, y + 20))
        pen.text((x + 20, y + tall + 10), clock, "#808a9b", font[0])
        y += tall + 100
    return page.quantize(200, dither=Image.Dither.NONE)


def movie(frames: list[Image.Image]) -> bytes:  # QuickTime: ftyp, mdat, then the tables in moov
    def atom(kind: str, *body: bytes | int) -> bytes:
        data = b"".join(part if isinstance(part, bytes) else struct.pack(">I", part) for part in body)
        return struct.pack(">I4s", 8 + len(data), kind.encode()) + data

    shots, (w, h), n = [], frames[0].size, len(frames)
    for frame in frames:
        frame.save(buffer := io.BytesIO(), "JPEG", quality=70)
        shots.append(buffer.getvalue())
    unity = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    born = 3793383180  # seconds since 1904: 2024-03-15 21:33:00
    start = atom("ftyp", b"qt  ", 0x200, b"qt  ")
    size, name = struct.pack(">HH", w, h), b"\0\1\4jpeg" + bytes(27) + b"\0\x18\xff\xff"
    entry = atom("jpeg", 0, 1, bytes(8), 0, 512, size, 72 << 16, 72 << 16, 0, name)
    table = atom("stsd", 0, 1, entry) + atom("stts", 0, 1, n, 150) + atom("stsc", 0, 1, 1, n, 1)
    table += atom("stsz", 0, 0, n, *map(len, shots)) + atom("stco", 0, 1, len(start) + 8)
    data = atom("dinf", atom("dref", 0, 1, atom("alis", 1))) + atom("stbl", table)
    info = atom("minf", atom("vmhd", 1, 0, 0), atom("hdlr", 0, b"dhlralis", bytes(13)), data)
    kind = atom("mdhd", 0, born, born, 600, n * 150, 0) + atom("hdlr", 0, b"mhlrvide", bytes(13))
    head = atom("tkhd", 15, born, born, 1, 0, n * 150, bytes(16), unity, w << 16, h << 16)
    top = atom("mvhd", 0, born, born, 600, n * 150, 0x10000, 0x1000000, 0, 0, unity, bytes(24), 2)
    return start + atom("mdat", *shots) + atom("moov", top, atom("trak", head, atom("mdia", kind, info)))


SHOTS: dict[str, tuple[Callable[..., Image.Image], tuple[Any, ...], str, tuple[float, ...]]] = {
    "2023/mountains/IMG_0412.JPG": (land, ("lake",), "2023:08:12 06:14:09", (46.4983, 7.7269)),
    "2023/mountains/IMG_0413.HEIC": (land, ("peak",), "2023:08:12 07:02:41", (46.5061, 7.7402)),
    "2023/mountains/IMG_0431.JPG": (land, ("sunset",), "2023:08:12 20:41:55", ()),
    "2023/birthday/IMG_0502.JPG": (party, (), "2023:10:21 16:20:31", ()),
    "2023/birthday/birthday cake.jpg": (cake, (), "2023:10:21 16:48:03", ()),
    "2024/city/IMG_0731.JPG": (skyline, (8, H, W), "2024:03:15 21:12:44", ()),
    "2024/city/IMG_0732.JPG": (skyline, (), "2024:03:15 21:30:10", ()),
    "2024/city/IMG_0733.JPG": (skyline, (1,), "2024:03:15 21:31:52", ()),
    "2024/home/IMG_0801.JPG": (cat, (), "2024:05:04 09:15:20", ()),
    "2024/home/IMG_0802.JPG": (cat, (1,), "2024:05:04 09:15:21", ()),
    "2024/home/from Mara.webp": (land, ("lake",), "", ()),
    "screenshots/Screenshot 2024-05-04.png": (screenshot, (), "", ()),
}


def make(path: str) -> None:
    draw, how, when, gps = SHOTS[path]
    target, tags, sideways = Path(__file__).parent / "photos" / path, Image.Exif(), path.endswith("0731.JPG")
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.endswith("0732.JPG"):
        target.with_name("IMG_0734.MOV").write_bytes(movie([skyline(i).resize((320, 240)) for i in range(6)]))
    if when:
        tags[0x010F], tags[0x0110], tags[0x0132] = "Drawn", "draw_photos.py", when
        tags[0x0112], tags[0x8769] = 6 if sideways else 1, {0x9003: when, 0x9004: when}
    if gps:
        north, east = ((float(int(v)), float(int(v * 60 % 60)), round(v * 3600 % 60, 2)) for v in gps)
        tags[0x8825] = {1: "N", 2: north, 3: "E", 4: east}
    pillow_heif.register_heif_opener()
    picture = draw(*how).rotate(90 * sideways, expand=True)
    picture.save(target, quality=60 if path.endswith("HEIC") else 82, optimize=True, exif=tags)
    if path.endswith("0733.JPG"):
        target.write_bytes(target.read_bytes()[: target.stat().st_size * 6 // 10])


if __name__ == "__main__":
    list(ProcessPoolExecutor().map(make, SHOTS))
