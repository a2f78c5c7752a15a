"""The local backend with real models of transformers' own classes, in small and with random weights."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from backends.local_hf import LocalHFBackend
from backends.precision import Device
from caption import DEFAULT_PROMPT
from config import Settings
from engines.answers import unwrapped
from engines.checks import one_line, problem
from errors import StopRunError
from image_loader import load_image
from tests.conftest import ROOT, Product, wait_for
from tests.helpers.hub import Hub
from tests.helpers.journals import mountable
from tests.helpers.tiny_model import build, build_with_custom_code
from tests.helpers.warm import WarmProcess
from tests.test_run_loop import batch_done, copy_project, loop

if TYPE_CHECKING:
    from collections.abc import Callable

FAMILIES = ("qwen2_5_vl", "qwen3_vl", "smolvlm", "idefics3", "internvl", "florence2")
EXAMPLES = ROOT / "examples" / "photos"
PROMPT = "Describe this photo in one sentence."


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what builds a family's model folder, once."""
    root = tmp_path_factory.mktemp("models")

    def model(family: str) -> Path:
        folder = root / f"tiny-{family}"
        return folder if folder.exists() else build(family, folder)

    return model


class WarmProduct(Product):
    """The product in processes that need not import torch anew; `script` stands for caption.py."""

    script = ROOT / "caption.py"

    def start_warm(self, *arguments: str) -> WarmProcess:
        command = [str(self.script), *arguments]
        return WarmProcess(command, cwd=self.folder, env=self.env, folder=self.folder.parent)

    def call(self, *arguments: str, code: int = 0, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        process = self.start_warm(*arguments)
        out, err = process.communicate(timeout)
        assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in out + err
        return subprocess.CompletedProcess(process.args, code, out, err)


@pytest.fixture
def local(tmp_path: Path) -> WarmProduct:
    """The product over the example photos."""
    folder = tmp_path / "work"
    folder.mkdir()
    product = WarmProduct(folder, EXAMPLES)
    product.env |= {"HF_HOME": str(tmp_path / "hf"), "OMP_NUM_THREADS": "1"}
    return product


def caption(product: Product, model: Path | str, *more: str, code: int = 0) -> str:
    """`run` with the local backend; return what it said."""
    photos = ["--photos-dir", str(product.photos)]
    return product.call(
        "run", "--backend", "local", "--model", str(model), *photos, *more, code=code, timeout=300
    ).stderr


def examples() -> list[Image.Image]:
    """Pictures of very different shapes, as the loader gives them."""
    pictures = [Image.open(path).convert("RGB") for path in sorted(EXAMPLES.glob("2023/**/*.JPG"))[:3]]
    for picture in pictures:
        picture.thumbnail((1024, 1024))
    return [*pictures, Image.new("RGB", (1000, 210), "teal"), Image.new("RGB", (60, 90), "pink")]


def load(folder: Path, prompt: str = PROMPT, **options: str | bool) -> LocalHFBackend:
    return LocalHFBackend(str(folder), Settings(), prompt, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_says_what_single_pictures_say(family: str, models: Callable[[str], Path]) -> None:
    backend = load(models(family))
    together = backend.caption_batch(examples())
    alone = [backend.caption(image) for image in examples()]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert len({answer.text for answer in alone}) == len(alone)  # it looked at the pictures
    for answer in together:
        assert answer.text == answer.text.strip() != ""
        assert answer.finish_reason == "stop"
        assert answer.output_tokens
    assert [answer.input_tokens for answer in together] == [answer.input_tokens for answer in alone]


@pytest.mark.parametrize("family", ["qwen2_5_vl", "smolvlm", "florence2"])
def test_a_run_over_real_photos(family: str, models: Callable[[str], Path], local: WarmProduct) -> None:
    """The plan's phase 4: what the mock has captioned before is captioned again, and then nothing is."""
    local.run("--limit", "5")
    said = caption(local, models(family), "--max-workers", "8")
    assert "as float32" in said
    assert "Local backend is single-threaded (GPU memory constraint). Ignoring --max-workers." in said
    records = local.records()
    captions = {path: line for path, line in records.items() if line["status"] == "success"}
    assert len(records) == 13
    assert len(captions) == 11  # one photo is broken, one is a video
    assert all(line["model"] == f"local/tiny-{family}" for line in captions.values())
    assert str(models(family).parent) not in local.journal.read_text()
    count = local.line_count()
    again = caption(local, models(family))
    assert "Starting torch" not in again  # nothing left to do: nothing loaded
    assert local.line_count() == count


def test_the_prompt_is_heard(models: Callable[[str], Path]) -> None:
    image = examples()[0]
    answers = {load(models("qwen2_5_vl"), prompt).caption(image).text for prompt in ("What?", "Where is it?")}
    assert len(answers) == 2
    tasks = {load(models("florence2"), prompt).caption(image).text for prompt in ("What?", "<CAPTION>")}
    assert len(tasks) == 2


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_quantized_models_caption_too(
    quantize: str, models: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    backend = load(models("qwen2_5_vl"), quantize=quantize)
    kinds = {type(module).__name__ for module in backend._model.modules()}
    assert ("Linear4bit" if quantize == "int4" else "Linear8bitLt") in kinds
    assert all(answer.text for answer in backend.caption_batch(examples()))
    assert not [record for record in caplog.records if record.name.startswith("bitsandbytes")]


def test_the_second_try_samples(models: Callable[[str], Path], tmp_path: Path) -> None:
    """Greedy decoding can go round in circles for ever; the same once more would be the same circle."""
    folder = build("qwen2_5_vl", tmp_path / "looping")
    settings = folder / "generation_config.json"
    values = json.loads(settings.read_text())
    values = {key: values[key] for key in ("suppress_tokens", "eos_token_id", "pad_token_id")}
    values["suppress_tokens"].append(values["eos_token_id"])  # it never ends
    # The published Qwen2.5-VL comes with these, which make sampling as good as greedy.
    settings.write_text(json.dumps(values | {"temperature": 1e-06, "top_k": 1, "do_sample": True}))
    backend = load(folder)
    image = examples()[0]
    first = backend.caption(image)
    assert first == backend.caption(image)
    assert problem(first.text, first.finish_reason)
    assert first.finish_reason == "length"
    assert len({backend.recaption(image).text for _ in range(3)}) == 3


def test_thoughts_are_no_caption(models: Callable[[str], Path], tmp_path: Path) -> None:
    """A model whose template opens a thought, and that never comes to its answer, has said nothing."""
    folder = build("qwen2_5_vl", tmp_path / "thinking")
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("assistant\n", "assistant\n<think>\n"))
    answer = load(folder).caption(examples()[0])
    assert (
        problem(unwrapped(answer.text), answer.finish_reason) == "cut off by the token limit while thinking"
    )
    template.write_text(template.read_text().replace("<think>", "{% if enable_thinking %}<think>{% endif %}"))
    assert load(folder).caption(examples()[0]).text


@pytest.mark.parametrize("mark", ["◁{}think▷", "[{}THINK]"])
def test_marks_of_thoughts_that_are_special_tokens_are_no_caption(tmp_path: Path, mark: str) -> None:
    """Kimi's and Magistral's marks are such tokens: a decoder that drops them makes the thought a caption."""
    folder = build("qwen2_5_vl", tmp_path / "special")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    marks = [mark.format(""), mark.format("/")]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    tokenizer.save_pretrained(folder)
    backend = load(folder)
    said = f"{marks[0]}A dog? A cat!{marks[1]}A dog.<|im_end|>"
    answer = backend._answer(backend._processor.tokenizer(said).input_ids, 1)
    assert answer.text.startswith(marks[0])
    assert one_line(unwrapped(answer.text)) == "A dog."


def test_large_tiles_do_not_enlarge_pictures(models: Callable[[str], Path], tmp_path: Path) -> None:
    """SmolVLM has four tiles of 512 along the longer side, and enlarges what is smaller."""
    folder = build("smolvlm", tmp_path / "smolvlm")
    file = folder / "processor_config.json"
    config = json.loads(file.read_text())
    config["image_processor"] |= {"size": {"longest_edge": 2048}, "max_image_size": {"longest_edge": 512}}
    file.write_text(json.dumps(config))
    processor = load(folder)._processor
    assert processor.image_processor.size["longest_edge"] == 1024
    tiles = processor.image_processor([[Image.new("RGB", (1024, 768))]], return_tensors="pt")
    assert tiles["pixel_values"].shape[1] == 5  # two by two, and the whole


SMALL_CARD = """
import sys
import torch
import backends, caption
from backends.local_hf import LocalHFBackend

class Small(LocalHFBackend):
    '''A card in which two photos fit, and whose first guess is eight.'''
    def _load(self, *args):
        super()._load(*args)
        self.batch_size = 8
        generate = self._model.generate
        def bounded(*args, **inputs):
            if len(inputs["input_ids"]) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return generate(*args, **inputs)
        self._model.generate = bounded

backends.BACKENDS["local"] = backends.BackendInfo("__main__", "Small", "local", None, "")
caption.main()
"""


def test_what_does_not_fit_is_halved_and_no_photo_is_lost(
    models: Callable[[str], Path], local: WarmProduct, tmp_path: Path
) -> None:
    local.script = tmp_path / "small.py"
    local.script.write_text(SMALL_CARD)
    said = caption(local, models("qwen2_5_vl"))
    assert "do not fit into memory: going on with" in said
    assert {line["status"] for line in local.lines()} == {"success", "error_corrupt"}
    captions = {path: line["caption"] for path, line in local.records().items() if line["caption"]}
    assert len(captions) == 11
    backend = load(models("qwen2_5_vl"), DEFAULT_PROMPT)
    for path, text in captions.items():
        assert backend.caption(load_image(EXAMPLES / path)).text == text


@pytest.mark.slow
def test_a_kill_loses_nothing_and_repeats_nothing(
    models: Callable[[str], Path], local: WarmProduct, tmp_path: Path
) -> None:
    """Nor does a photo that the model cannot take: Qwen's processor wants none 200 times as wide as high."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(60):
        Image.new("RGB", (90 + number, 60), (number * 4, 90, 120)).save(photos / f"{number:02}.png")
    Image.new("RGB", (4000, 8), "teal").save(photos / "31 strip.png")
    local.photos = photos
    process = local.start_warm(
        "run", "--backend", "local", "--model", str(models("qwen2_5_vl")), "--photos-dir", str(photos)
    )
    wait_for(lambda: local.line_count() > 5, seconds=120)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = local.journal.read_text()
    kept = kept[: kept.rfind("\n") + 1]
    assert kept.count("\n") < 60  # it was killed in the middle
    caption(local, models("qwen2_5_vl"))
    assert local.journal.read_text().startswith(kept)
    records = local.records()
    assert local.line_count() == len(records) == 61
    assert records.pop("31 strip.png")["status"] == "error_model"
    assert {line["status"] for line in records.values()} == {"success"}


@pytest.mark.slow
def test_ctrl_c_in_the_model_ends_in_good_order(
    models: Callable[[str], Path], local: WarmProduct, tmp_path: Path
) -> None:
    """Even when the model does not come back in time."""
    slow = "numbers = torch.rand(3000, 3000)\n            for _ in range(200): numbers = numbers @ numbers / 3000"
    local.script = tmp_path / "slow.py"
    local.script.write_text(SMALL_CARD.replace("if len", f"{slow}\n            if len"))
    flags = ("run", "--backend", "local", "--model", str(models("qwen2_5_vl")), "--photos-dir", str(EXAMPLES))
    process = local.start_warm(*flags)
    wait_for(lambda: local.line_count() > 0, seconds=120)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(60)
    assert process.returncode == 130, said
    assert "everything written is safe" in said


@pytest.mark.slow
def test_the_loop_with_the_extra_alone(models: Callable[[str], Path], tmp_path: Path) -> None:
    """The plan's phase 6: run_loop.sh makes an environment that holds the `local` extra, and nothing else."""
    project = copy_project(ROOT, tmp_path / "project")
    for family, batch in (("qwen2_5_vl", 7), ("smolvlm", 20)):
        journal = tmp_path / f"{family}.jsonl"
        flags = ("--photos-dir", str(EXAMPLES), "--captions-jsonl", str(journal))
        ended = loop(project / "run_loop.sh", "local", str(models(family)), *flags, BATCH=str(batch))
        assert ended.code == 0, ended.err
        assert ended.out == [batch_done(7)] * (batch == 7) + ["All photos captioned."]
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        assert len({line["rel_path"] for line in lines}) == len(lines) == 13
        assert sum(line["status"] == "success" for line in lines) == 11
    packages = {path.name for path in (project / ".venv").glob("lib/python*/site-packages/*")}
    assert "torchvision" in packages
    assert not packages & {"openai", "anthropic", "umap", "ray", "pytest"}


def test_code_of_the_models_own_runs_only_when_allowed(
    local: WarmProduct, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build_with_custom_code(tmp_path / "own-code")
    marker = tmp_path / "it ran"
    local.env["TINY_MARKER"] = str(marker)
    monkeypatch.setenv("TINY_MARKER", str(marker))
    with pytest.raises(StopRunError, match=r"needs its own program code.*--trust-remote-code"):
        load(folder)
    assert not marker.exists()
    caption(local, folder, "--trust-remote-code")
    assert marker.exists()
    assert sum(line["status"] == "success" for line in local.lines()) == 11


def test_too_little_memory_is_said_before_the_weights_are_read(tmp_path: Path) -> None:
    folder = build("qwen2_5_vl", tmp_path / "huge")
    text = json.loads((folder / "config.json").read_text())["text_config"]
    change(folder / "config.json", {"text_config": text | {"vocab_size": 10**11}})
    (folder / "model.safetensors").unlink()
    with pytest.raises(StopRunError, match=r"Too little memory on .*; try the smaller --model"):
        load(folder)


@pytest.mark.parametrize(
    ("kind", "native"),
    [
        ("moondream1", "SmolVLM2-2.2B-Instruct"),
        ("internvl_chat", "OpenGVLab/InternVL3-8B-hf"),
        ("florence2", "florence-community/Florence-2-large"),
        ("phi3_v", "Qwen/Qwen2.5-VL-3B-Instruct"),
    ],
)
def test_a_native_model_is_named(kind: str, native: str, tmp_path: Path) -> None:
    own = {"model_type": kind, "auto_map": {"AutoModelForCausalLM": "modeling.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(own))
    with pytest.raises(StopRunError, match=native):
        load(tmp_path)


def change(file: Path, values: dict[str, object]) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def damage_weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})

    return damage


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "config.json").unlink(), "holds no model"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": '), "holds no model"),
        (
            lambda folder: (folder / "config.json").write_text('{"model_type": "llama"}'),
            "does not take pictures: choose another --model",
        ),
        (
            lambda folder: (folder / "config.json").write_text('{"model_type": "gpt9_vl"}'),
            "is not known to transformers: choose another --model",
        ),
        (lambda folder: os.truncate(folder / "model.safetensors", 20_000), "fetch them again"),
        (lambda folder: (folder / "model.safetensors").unlink(), "fetch them again"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "cannot be loaded"),
        (
            lambda folder: change(
                folder / "config.json", {"model_type": "llama", "auto_map": {"AutoModel": "a.B"}}
            ),
            "does not take pictures",
        ),
        (
            lambda folder: change(folder / "config.json", {"quantization_config": {"quant_method": "awq"}}),
            "needs more packages",
        ),
        (damage_weights(lambda weights: weights.pop(next(iter(weights)))), "do not fit its architecture"),
    ],
)
def test_a_model_that_is_not_whole_is_refused(
    damage: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    folder = build("qwen2_5_vl", tmp_path / "model")
    damage(folder)
    with pytest.raises(StopRunError) as stop:
        load(folder)
    assert sentence in str(stop.value)
    assert "\n" not in str(stop.value)


@pytest.mark.slow
def test_the_first_run_downloads_and_the_next_asks_nobody(
    models: Callable[[str], Path], tmp_path: Path
) -> None:
    local = Product(tmp_path, EXAMPLES)  # a cold one: where the Hub is, is read when its client is imported
    local.env["HF_HOME"] = str(tmp_path / "hf")
    with Hub(models("qwen2_5_vl"), "someone/tiny") as hub:
        local.env |= {"HF_ENDPOINT": hub.url}
        said = caption(local, "someone/tiny", "--limit", "2")
        assert "Downloading someone/tiny, 0.0 GB, once, to" in said
        assert any("model.safetensors" in request for request in hub.requests)
        assert "has no model someone/else" in caption(local, "someone/else", code=1)
    caption(local, "someone/tiny", "--limit", "2")  # the Hub is gone
    assert {line["model"] for line in local.lines() if "model" in line} == {"local/someone/tiny"}
    said = caption(local, "someone/other", code=1)
    assert "cannot be reached" in said
    assert "and give that folder as --model." in said
    assert "neither a folder nor the name of a model" in caption(local, "./no/such/folder", code=1)
    flags = ("run", "--backend", "local", "--photos-dir", str(EXAMPLES))
    default = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct" if not torch.cuda.is_available() else "Qwen/"
    assert f"The files of {default}" in local.call(*flags, code=1).stderr


FETCH = """
import sys
from errors import StopRunError
from backends.hub import snapshot
try:
    snapshot("someone/tiny", flag="--model")
    print(snapshot("someone/tiny", flag="--model", weights=("*.safetensors",)))
except StopRunError as error:
    print(error)
"""


def test_a_download_that_cannot_be(models: Callable[[str], Path], tmp_path: Path) -> None:
    """Gated, with no room, cut off by another program: each is a sentence, and what is there is used."""
    home = tmp_path / "hf"

    def fetch(*before: str) -> str:
        environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [*before, sys.executable, "-c", FETCH],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    with Hub(models("smolvlm"), "someone/tiny") as hub:
        hub.gated = True
        assert "accept them at" in fetch()
        hub.gated = False
        if mountable():
            home.mkdir(exist_ok=True)
            small = f'mount -t tmpfs -o size=300k none "{home}" && exec "$@"'
            assert "make room there" in fetch("unshare", "-rm", "sh", "-c", small, "sh")
        folder = Path(fetch())
        assert (folder / "model.safetensors").exists()
        for tree in home.glob(
            "hub/models--*/trees"
        ):  # what tells a whole folder from one that is not; others keep none
            shutil.rmtree(tree)
        (folder / "model.safetensors").unlink()
        hub.requests.clear()
        assert fetch() == str(folder)
        assert (folder / "model.safetensors").exists()


def test_the_batch_for_a_card_is_probed(
    models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no card here: its four figures are given, the probe and the model are real."""
    backend = load(models("qwen2_5_vl"))
    peaks = iter([4e9, 4.4e9])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: next(peaks))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (3e9, 8e9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 5e9)
    backend.device = Device("cuda", "a card", 3e9, 8e9)
    assert backend._fitting_batch() == 9  # 7.2 of 8 GB, less the first photo's 4: room for 8 more at 0.4


def test_a_failed_batch_leaves_nothing_in_the_card(models: Callable[[str], Path]) -> None:
    """Else the half of it would not fit either."""
    backend = load(models("qwen2_5_vl"))
    seen: list[weakref.ref[torch.Tensor]] = []

    def generate(**inputs: torch.Tensor) -> torch.Tensor:
        seen.append(weakref.ref(inputs["pixel_values"]))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    backend._model.generate = generate
    with pytest.raises(MemoryError):
        backend.caption_batch(examples())
    assert seen[0]() is None


@pytest.mark.parametrize(
    "words",
    [
        ("--backend", "local", "--quantize", "int3"),
        ("--backend", "mock", "--quantize", "int4"),
        ("--backend", "mock", "--trust-remote-code"),
    ],
)
def test_wrong_flags_are_refused(words: tuple[str, ...], local: WarmProduct) -> None:
    local.call("run", *words, code=64)
