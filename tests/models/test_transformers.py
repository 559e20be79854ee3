"""Hugging Face transformers: pipelines of texts and models come back from data alone, and nothing that a folder names is fetched or run."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from prefect_ledger.errors import ArtifactCorrupt, InvalidValue, SignatureMismatch, UntrustedModel
from prefect_ledger.models import digests
from prefect_ledger.models.opening import open_folder
from prefect_ledger.models.saving import ModelWarning, save_model

if importlib.util.find_spec("transformers") is None or importlib.util.find_spec("torch") is None:
    pytest.skip("transformers and PyTorch are in none of our locks: make test-torch", allow_module_level=True)

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import torch
import transformers

from tests.interop.conftest import mlflow, mlflow_python  # noqa: F401  # fixtures
from tests.interop.mlflow_side import MLflow

tokenizers: Any = importlib.import_module("tokenizers")
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] a good bad film was the and not it is".split()
TEXTS = ["a good film", "the film was bad and it was not good", "it is"]
IDS = np.array([[2, 5, 6, 8, 3], [2, 10, 8, 9, 3]])
CALLS: list[str] = []


def _listen(event: str, _given: Any) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        CALLS.append(event)


sys.addaudithook(_listen)


@pytest.fixture(autouse=True)
def nobody_is_called() -> Any:
    """No test here, and nothing that it opens, looks up or calls another machine."""
    CALLS.clear()
    yield
    assert CALLS == []


def _tokenizer() -> Any:
    return transformers.BertTokenizerFast(vocab={word: number for number, word in enumerate(WORDS)})


def _plain_tokenizer() -> Any:
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", eos_token="[SEP]")


def _bert(kind: str = "BertForSequenceClassification", **more: Any) -> Any:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 64}
    return getattr(transformers, kind)(transformers.BertConfig(vocab_size=len(WORDS), initializer_range=0.5, **sizes, **more))


def _gpt() -> Any:
    torch.manual_seed(0)
    ends = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=len(WORDS), initializer_range=0.5, **sizes, **ends))


def _classifier() -> Any:
    return transformers.TextClassificationPipeline(model=_bert(), tokenizer=_tokenizer(), task="text-classification", device=-1)


def _writer() -> Any:
    return transformers.TextGenerationPipeline(model=_gpt(), tokenizer=_plain_tokenizer(), task="text-generation", device=-1)


def _raw(pipeline: Any, *given: Any, **params: Any) -> Any:
    """What it says by itself, at rest."""
    pipeline.model.eval()
    return pipeline(*given, **params)


def test_a_classifier_of_texts_comes_back_without_running_code(tmp_path: Path) -> None:
    """As safetensors, JSON and a tokenizer's files, in MLflow's layout; its answers are rows of label and score."""
    pipeline = _classifier()
    assert pipeline.model.train().training
    saved = save_model(pipeline, tmp_path / "m", input_example=TEXTS)
    assert pipeline.model.training
    entry = saved.flavors["transformers"]
    assert entry == {
        "transformers_version": transformers.__version__, "code": None, "task": "text-classification",
        "instance_type": "TextClassificationPipeline", "torch_dtype": "torch.float32", "source_model_name": "",
        "pipeline_model_type": "BertForSequenceClassification", "model_binary": "model", "components": ["tokenizer"],
        "tokenizer_type": type(pipeline.tokenizer).__name__,
    }  # fmt: skip
    assert saved.function["loader_module"] == "mlflow.transformers"
    assert {path.suffix for path in (tmp_path / "m").rglob("*") if path.is_file()} == {"", ".json", ".safetensors", ".txt", ".yaml"}
    assert {"transformers", "torch"} <= {line.partition("==")[0] for line in (tmp_path / "m" / "requirements.txt").read_text().split()}
    opened = open_folder(tmp_path / "m")
    assert type(opened.model) is type(pipeline)
    answer = opened.predictor().predict(TEXTS)
    pd.testing.assert_frame_equal(answer, pd.DataFrame(_raw(pipeline, TEXTS)))
    assert answer.columns.tolist() == ["label", "score"]


def test_texts_are_a_list_a_column_or_named(tmp_path: Path) -> None:
    """With one answer each, in a frame's own order and index; a pair of texts is two columns; what is no text is refused by its place."""
    pipeline = _classifier()
    save_model(pipeline, tmp_path / "m", requirements=[])
    ask = open_folder(tmp_path / "m").predictor().predict
    expected = pd.DataFrame(_raw(pipeline, TEXTS))
    pd.testing.assert_frame_equal(ask(np.array(TEXTS)), expected)
    pd.testing.assert_frame_equal(ask({"text": TEXTS}), expected)
    pd.testing.assert_frame_equal(ask([{"text": text} for text in TEXTS]), expected)
    pd.testing.assert_frame_equal(ask(TEXTS[0]), expected[:1])
    frame = pd.DataFrame({"said": TEXTS}, index=[7, 5, 3])
    pd.testing.assert_frame_equal(ask(frame), expected.set_axis([7, 5, 3]))
    pair = {"text": TEXTS[:2], "text_pair": TEXTS[1:]}
    both = pd.DataFrame(_raw(pipeline, [{"text": one, "text_pair": other} for one, other in zip(*pair.values(), strict=True)]))
    pd.testing.assert_frame_equal(ask(pair), both)
    pd.testing.assert_frame_equal(ask(pd.DataFrame(pair)), both)
    assert ask([]).columns.tolist() == ["label", "score"]
    for data, why in (
        ([3], "text 0 is a int"),
        (["a", None], "text 1 is missing"),
        ({"a": ["x"], "b": ["y"]}, "the columns a, b"),
        (3, "not int"),
    ):
        with pytest.raises(InvalidValue, match=why):
            ask(data)


def test_parameters_of_the_signature_are_passed_on(tmp_path: Path) -> None:
    """More than one answer to a text is a list in its row; what the signature does not know is refused."""
    pipeline = _classifier()
    save_model(pipeline, tmp_path / "m", input_example=(TEXTS, {"top_k": 1}), requirements=[])
    ask = open_folder(tmp_path / "m").predictor().predict
    assert ask(TEXTS).columns.tolist() == ["label", "score"]
    assert ask(TEXTS, {"top_k": 2})["answers"].tolist() == _raw(pipeline, TEXTS, top_k=2)
    assert ask(TEXTS[:1], {"top_k": 2})["answers"].tolist() == _raw(pipeline, TEXTS[:1], top_k=2)
    with pytest.raises(SignatureMismatch, match="trust_remote_code"):
        ask(TEXTS, {"trust_remote_code": True})


@pytest.mark.parametrize("name", ["custom_generate", "trust_remote_code", "assistant_model", "num_workers", "tokenizer"])
def test_no_parameter_brings_code(name: str, tmp_path: Path) -> None:
    """Also where no signature says which there are, and within others."""
    save_model(_writer(), tmp_path / "m", requirements=[])
    ask = open_folder(tmp_path / "m").predictor().predict
    for params in ({name: "x/y"}, {"generate_kwargs": {name: "x/y"}}):
        with pytest.raises(InvalidValue, match=f"the parameter '{name}' is not passed on"):
            ask(TEXTS, params)


def test_a_writer_of_texts_comes_back(tmp_path: Path) -> None:
    """With what it would say, and as much of it as it is asked for; a model and a tokenizer in a dict are the same pipeline."""
    pipeline = _writer()
    params = {"max_new_tokens": 4, "do_sample": False}
    save_model({"model": pipeline.model, "tokenizer": pipeline.tokenizer}, tmp_path / "m", input_example=(TEXTS, params), requirements=[])
    opened = open_folder(tmp_path / "m")
    assert type(opened.model) is type(pipeline)
    ask = opened.predictor().predict
    said = [one[0]["generated_text"] for one in _raw(pipeline, TEXTS, **params)]
    assert said[0].startswith(TEXTS[0])
    assert len(said[0]) > len(TEXTS[0])
    assert ask(TEXTS)["generated_text"].tolist() == said
    longer = ask(TEXTS[:1], {"max_new_tokens": 9})["generated_text"][0]
    assert longer.startswith(said[0])
    assert longer != said[0]


@pytest.mark.parametrize(
    ("kind", "text", "params", "column"),
    [
        ("BertForTokenClassification", "a good film", {}, "answers"),
        ("BertForMaskedLM", "a [MASK] film", {"top_k": 2}, "answers"),
        ("BertModel", "a good film", {}, "features"),
    ],
)
def test_other_tasks_of_texts_come_back(kind: str, text: str, params: dict[str, Any], column: str, tmp_path: Path) -> None:
    """Told by the model's class; one row for each text, whatever it holds."""
    model, tokenizer = _bert(kind).eval(), _tokenizer()
    save_model({"model": model, "tokenizer": tokenizer}, tmp_path / "m", requirements=[])
    opened = open_folder(tmp_path / "m")
    made = type(opened.model)(model=model, tokenizer=tokenizer, task=opened.model.task, device=-1)
    for data in ([text], [text, text]):
        answer = opened.predictor().predict(data, params)
        assert answer.columns.tolist() == [column]
        expected = made(text, **params)
        found = answer[column].tolist()
        assert len(found) == len(data)
        assert json.loads(json.dumps(found)) == found
        assert str(found[-1])[:200] == str(json.loads(json.dumps(expected if column != "features" else expected[0], default=float)))[:200]


def test_zero_shot_classification(tmp_path: Path) -> None:
    """Labels are given as it is asked."""
    model = {"model": _bert(num_labels=3, label2id={"entailment": 0}), "tokenizer": _tokenizer(), "task": "zero-shot-classification"}
    save_model(model, tmp_path / "m", requirements=[])
    answer = open_folder(tmp_path / "m").predictor().predict(TEXTS, {"candidate_labels": ["good", "bad"]})
    assert answer.columns.tolist() == ["sequence", "labels", "scores"]
    assert answer["sequence"].tolist() == TEXTS


@pytest.mark.parametrize("make", [_bert, _gpt, lambda: _bert("BertModel"), lambda: _bert().bfloat16()])
def test_a_model_by_itself_takes_arrays(make: Callable[[], Any], tmp_path: Path) -> None:
    """Ids in, logits out, or all of its arrays; as it is after training, in the type of its weights, and named arrays too."""
    model = make()
    saved = save_model(model, tmp_path / "m", input_example=IDS, requirements=[])
    assert model.training
    assert list(saved.flavors) == ["transformers"]
    opened = open_folder(tmp_path / "m")
    assert type(opened.model) is type(model)
    assert not opened.model.training
    assert opened.model.dtype is model.dtype
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(IDS))
    answer = opened.predictor().predict(IDS)
    if "logits" in expected:
        np.testing.assert_array_equal(answer, expected["logits"].float().numpy())
    else:
        np.testing.assert_array_equal(answer["last_hidden_state"], expected["last_hidden_state"].numpy())
        assert sorted(answer) == ["last_hidden_state", "pooler_output"]


def test_named_arrays_and_frames_of_ids(tmp_path: Path) -> None:
    """As PyTorch's modules take them."""
    save_model(_bert(), tmp_path / "m", requirements=[])
    ask = open_folder(tmp_path / "m").predictor().predict
    expected = ask(IDS)
    np.testing.assert_array_equal(ask({"input_ids": IDS, "attention_mask": np.ones_like(IDS)}), expected)
    pd.testing.assert_frame_equal(ask(pd.DataFrame(IDS, index=[4, 2])), pd.DataFrame(expected, index=[4, 2]))


class Own(transformers.BertForSequenceClassification):  # type: ignore[misc]  # where it is not installed, as mypy has it
    """A class of the caller's."""


class OwnPipeline(transformers.TextClassificationPipeline):  # type: ignore[misc]
    """A pipeline of the caller's."""


def test_code_of_the_callers_is_pytorchs(tmp_path: Path) -> None:
    """A model of a class of yours is pickled, as all modules are, and opened on somebody's word; a pipeline of one is refused."""
    model = Own(_bert().config)
    with pytest.warns(ModelWarning, match="opening it runs code"):
        saved = save_model(model, tmp_path / "m", requirements=[])
    assert "pytorch" in saved.flavors
    with pytest.raises(UntrustedModel):
        open_folder(tmp_path / "m")
    with pytest.raises(InvalidValue, match=r"Own is none of transformers' own classes.*flavor='pytorch:module'"):
        save_model({"model": model, "tokenizer": _tokenizer()}, tmp_path / "n")
    with pytest.raises(InvalidValue, match="OwnPipeline is no pipeline of transformers' own"):
        save_model(OwnPipeline(model=_bert(), tokenizer=_tokenizer(), task="text-classification", device=-1), tmp_path / "n")
    with pytest.raises(InvalidValue, match="pipelines for 'object-detection' are not saved"):
        save_model({"model": _bert(), "tokenizer": _tokenizer(), "task": "object-detection"}, tmp_path / "n")
    with pytest.raises(InvalidValue, match="not 'feature_extractor'"):
        save_model({"model": _bert(), "feature_extractor": 1}, tmp_path / "n")
    assert not (tmp_path / "n").exists()


def test_what_a_pipeline_was_made_with_is_said(tmp_path: Path) -> None:
    """The format has no place for it, in MLflow neither."""
    made = transformers.TextClassificationPipeline(model=_bert(), tokenizer=_tokenizer(), task="text-classification", device=-1, top_k=2)
    with pytest.warns(ModelWarning, match="its pipeline was made with .*top_k.*, which is not kept: give that as params"):
        save_model(made, tmp_path / "m", requirements=[])


def test_what_was_opened_is_saved_again(tmp_path: Path) -> None:
    """With its tokenizer, of those in Python too, though the folder that it was read from is gone."""
    (tmp_path / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate("<unk> a</w> good</w> a good".split())}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\na </w>\n")
    made = transformers.CTRLTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), pad_token="<unk>")
    for number, tokenizer in enumerate((_tokenizer(), made)):
        first, second = tmp_path / f"first-{number}", tmp_path / f"second-{number}"
        save_model({"model": _bert(), "tokenizer": tokenizer}, first, requirements=[])
        opened = open_folder(first)
        save_model(opened.model, second, requirements=[])
        pd.testing.assert_frame_equal(open_folder(second).predictor().predict(TEXTS), opened.predictor().predict(TEXTS))


def test_a_file_that_changes_later_changes_no_opened_model(tmp_path: Path) -> None:
    """Nor does one that is cut end the process, as it would if its weights were the mapped file."""
    save_model(_bert(), tmp_path / "m", requirements=[])
    ask = open_folder(tmp_path / "m").predictor().predict
    expected = ask(IDS)
    os.truncate(tmp_path / "m" / "model" / "model.safetensors", 0)
    np.testing.assert_array_equal(ask(IDS), expected)


def test_models_of_others_import_nothing() -> None:
    """Whose an object is, its type tells."""
    code = """
import sys
from prefect_ledger.models import flavors
assert flavors.choose({"model": [1], "tokenizer": None}).name == flavors.choose(len).name == "python_function"
assert not {"transformers", "torch", "huggingface_hub", "tokenizers"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_being_offline_ends_with_the_opening(tmp_path: Path) -> None:
    """Models that the program fetches by itself are still fetched."""
    constants: Any = importlib.import_module("huggingface_hub").constants
    before = constants.HF_HUB_OFFLINE
    open_folder(_saved(tmp_path / "m"))
    _forget(tmp_path / "m", pipeline_model_type="BertForMaskedLM")
    with pytest.raises(InvalidValue):
        open_folder(tmp_path / "m")
    assert constants.HF_HUB_OFFLINE is before


# --- forged and damaged ---------------------------------------------------------------------------------------------------


def _saved(folder: Path, model: Any = None) -> Path:
    save_model(_classifier() if model is None else model, folder, requirements=[])
    _forget(folder)
    return folder


def _forget(folder: Path, **change: Any) -> None:
    """Take the digests out of the MLmodel file, as in one of MLflow's."""
    told = yaml.safe_load((folder / "MLmodel").read_text())
    told["flavors"]["transformers"].update(change)
    told.pop(digests.KEY, None)
    (folder / "MLmodel").write_text(yaml.safe_dump(told))


def _edit(path: Path, **change: Any) -> None:
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, **change}))


@pytest.mark.parametrize("trusted", [False, True])
def test_code_that_a_folder_brings_and_names_is_never_run(trusted: bool, tmp_path: Path) -> None:
    """Remote code, generators, adapters and names on a hub, in configs and beside them: the model is as if they were not there."""
    folder, mark = _saved(tmp_path / "m", _writer()), tmp_path / "ran"
    expected = open_folder(folder).predictor().predict(TEXTS, {"max_new_tokens": 3, "do_sample": False})
    code = f"open({str(mark)!r}, 'w').write('x')\nclass Evil: pass\nConfig = Model = Tokenizer = generate = Evil\n"
    autos = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model", "AutoModelForCausalLM": "evil.Model"}
    hub = "http://127.0.0.1:9/evil/model"
    for place in (folder / "model", folder / "components" / "tokenizer"):
        (place / "custom_generate").mkdir()
        for name in ("evil.py", "custom_generate/generate.py", "modeling.py", "__init__.py", "tokenization.py"):
            (place / name).write_text(code)
        (place / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": hub, "peft_type": "LORA", "auto_mapping": autos}))
        (place / "pytorch_model.bin").write_bytes(pickle.dumps(_Runs(mark)))
        (place / "tokenizer.model").write_bytes(pickle.dumps(_Runs(mark)))
    _edit(
        folder / "model" / "config.json", auto_map=autos, _name_or_path=hub, custom_pipelines={"text-generation": {"impl": "evil.Model"}},
        attn_implementation="evil/kernel", _attn_implementation="evil/kernel", architectures=["Evil"], trust_remote_code=True,
        transformers_weights="pytorch_model.bin", fusion_config={"patch_embeddings": True}, use_kernels=True,
    )  # fmt: skip
    _edit(folder / "model" / "generation_config.json", trust_remote_code=True, _name_or_path=hub)
    _edit(
        folder / "components" / "tokenizer" / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Tokenizer", None]},
        name_or_path=hub, tokenizer_class="Evil", vocab_file="/etc/passwd", tokenizer_file="/etc/passwd", trust_remote_code=True,
        local_files_only=False, is_local=False, init_inputs=["/etc/passwd"], gguf_file="/etc/passwd",
    )  # fmt: skip
    opened = open_folder(folder, trusted=trusted)
    assert type(opened.model.model) is transformers.GPT2LMHeadModel
    pd.testing.assert_frame_equal(opened.predictor().predict(TEXTS, {"max_new_tokens": 3, "do_sample": False}), expected)
    assert not mark.exists()
    assert not [name for name in sys.modules if name.endswith("evil")]


class _Runs:
    """What leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return open, (str(self.mark), "w")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"pipeline_model_type": "os"}, "no PreTrainedModel"),
        ({"pipeline_model_type": "AutoModel"}, "no PreTrainedModel"),
        ({"pipeline_model_type": "models.bert.modeling_bert.BertModel"}, "no PreTrainedModel"),
        ({"pipeline_model_type": ["BertModel"]}, "no PreTrainedModel"),
        ({"pipeline_model_type": "RagModel"}, "is made from what its config names"),
        ({"pipeline_model_type": "GPT2LMHeadModel"}, "is of a 'bert'"),
        ({"pipeline_model_type": "BertForMaskedLM"}, "its weights lack"),
        ({"tokenizer_type": "AutoTokenizer"}, "no PreTrainedTokenizerBase"),
        ({"tokenizer_type": "PreTrainedModel"}, "no PreTrainedTokenizerBase"),
        ({"task": "evil"}, "pipelines for 'evil'"),
        ({"task": None}, "pipelines for None"),
        ({"torch_dtype": "torch.load"}, "no type of weights"),
        ({"model_binary": "../m"}, "MLmodel|outside|no model has"),
        ({"model_binary": None}, "nothing is fetched"),
        ({"source_model_revision": "abc"}, "'source_model_revision'"),
        ({"peft_adaptor": "peft"}, "'peft_adaptor'"),
        ({"components": ["image_processor"]}, "other parts"),
    ],
)
def test_a_forged_entry_is_refused(change: dict[str, Any], why: str, tmp_path: Path) -> None:
    """Other classes than transformers' own, parts elsewhere and what is not there; also on somebody's word."""
    folder = _saved(tmp_path / "m")
    _forget(folder, **change)
    for trusted in (False, True):
        with pytest.raises(InvalidValue, match=why):
            open_folder(folder, trusted=trusted)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model_type": "gpt2"}, "is of a 'gpt2'"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "'quantization_config'"),
        ({"backbone": "evil/model"}, "'backbone'"),
        ({"text_config": {"quantization_config": {"quant_method": "gptq"}}}, "'quantization_config'"),
        ({"dtype": "load"}, "no type of weights"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1,000,000,000"),
        ({"num_hidden_layers": 3}, "its weights lack"),
        ({"hidden_size": 1 << 20, "num_attention_heads": 1}, "its config describes a model of"),
        ({"max_position_embeddings": 10**12}, "its config describes a model of"),
        ({"vocab_size": 3}, "does not open as a model of transformers"),
        ({"hidden_act": "os.system"}, "does not open as a model of transformers"),
        ({"to_dict": 3, "__class__": "x"}, None),
    ],
)
def test_a_forged_config_is_refused(change: dict[str, Any], why: str | None, tmp_path: Path) -> None:
    """Whatever does not fit its weights, or needs more than they are, before the memory for it is taken."""
    folder = _saved(tmp_path / "m")
    _edit(folder / "model" / "config.json", **change)
    with pytest.raises(InvalidValue, match=why):
        open_folder(folder, trusted=True)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"custom_generate": "evil/generate"}, True),
        ({"assistant_model": "evil/model"}, True),
        ({"compile_config": {"backend": "evil"}}, True),
        ({"dola_layers": "low", "trust_remote_code": True}, False),
        ({"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5, "trust_remote_code": True}, False),
    ],
)
def test_ways_to_write_that_are_on_a_hub_are_not_fetched(change: dict[str, Any], refused: bool, tmp_path: Path) -> None:
    """Refused as the model is opened, or as it is asked."""
    folder = _saved(tmp_path / "m", _writer())
    _edit(folder / "model" / "generation_config.json", **change)
    if refused:
        with pytest.raises(InvalidValue):
            open_folder(folder, trusted=True)
        return
    ask = open_folder(folder).predictor().predict
    with pytest.raises(ValueError, match=r"requires `trust_remote_code=True`"):
        ask(TEXTS)


def _safetensors(header: Any, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


@pytest.mark.parametrize("file", ["model/config.json", "model/model.safetensors", "components/tokenizer/tokenizer.json"])
def test_damage_is_named(file: str, tmp_path: Path) -> None:
    """By the digest where it is known; else what does not read is refused, never half a model."""
    save_model(_classifier(), tmp_path / "m", requirements=[])
    path = tmp_path / "m" / file
    good = path.read_bytes()
    path.write_bytes(good + b" ")
    with pytest.raises(ArtifactCorrupt, match=path.name):
        open_folder(tmp_path / "m")
    _forget(tmp_path / "m")
    huge = {"x": {"dtype": "F32", "shape": [1 << 60], "data_offsets": [0, 1 << 62]}}
    for data in (b"", good[:100], good[:-9], b"[]", b"\xff" * 100, b"[" * 100_000, pickle.dumps({}), _safetensors({}), _safetensors(huge)):
        path.write_bytes(data)
        with pytest.raises(InvalidValue, match="does not open as a model of transformers"):
            open_folder(tmp_path / "m")
    path.unlink()
    with pytest.raises(InvalidValue):
        open_folder(tmp_path / "m")


def test_weights_in_several_files_stay_in_the_folder(tmp_path: Path) -> None:
    """They open; an index that leads elsewhere is refused, and so are weights that are pickles."""
    folder, model = _saved(tmp_path / "m"), _bert()
    place = folder / "model"
    (place / "model.safetensors").rename(tmp_path / "model.safetensors")
    model.save_pretrained(place, max_shard_size="10KB")
    assert len(list(place.glob("*.safetensors"))) > 1
    pd.testing.assert_frame_equal(open_folder(folder).predictor().predict(TEXTS), pd.DataFrame(_raw(_classifier(), TEXTS)))
    index = json.loads((place / "model.safetensors.index.json").read_text())
    for name in ("../../model.safetensors", "/etc/passwd", "pytorch_model.bin", 3, "model-9.safetensors"):
        _edit(place / "model.safetensors.index.json", weight_map=dict.fromkeys(index["weight_map"], name))
        with pytest.raises(InvalidValue):
            open_folder(folder)
    (place / "model.safetensors").symlink_to(tmp_path / "model.safetensors")
    with pytest.raises(InvalidValue, match="outside"):
        open_folder(folder)
    (place / "model.safetensors").unlink()
    (place / "model.safetensors.index.json").unlink()
    (place / "pytorch_model.bin").write_bytes(pickle.dumps(_Runs(tmp_path / "ran")))
    with pytest.raises(InvalidValue, match="are pickles, which are not opened here"):
        open_folder(folder)
    assert not (tmp_path / "ran").exists()


CODE = """
import os, sys
os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.append(sys.argv[1])
import json, mlflow, mlflow.transformers, numpy as np, torch
from mlflow.models import infer_signature
asked = json.load(open("texts.json"))
params = {"max_new_tokens": 4, "do_sample": False}
rows = mlflow.pyfunc.load_model("classifier").predict(asked)
answer = {"classifier": [rows["label"].tolist(), rows["score"].tolist()]}
answer["writer"] = mlflow.pyfunc.load_model("writer").predict(asked, params)
bare = mlflow.transformers.load_model("bare", return_type="components")["model"]
answer["bare"] = bare(torch.from_numpy(np.load("ids.npy"))).logits.tolist()
for name in ("classifier", "writer"):
    pipeline = mlflow.transformers.load_model(name)
    answer[name + " kind"] = type(pipeline).__name__
    mlflow.transformers.save_model(pipeline, "theirs-" + name, input_example=(asked, params) if name == "writer" else asked,
      pip_requirements=[], task=pipeline.task)
pipeline = mlflow.transformers.load_model("writer")
mlflow.transformers.save_model(pipeline, "theirs-prompted", input_example=asked, pip_requirements=[], task=pipeline.task,
  prompt_template="it is {prompt}", model_config=params)
answer["prompted"] = mlflow.pyfunc.load_model("theirs-prompted").predict(asked)
"""


def test_mlflow_and_we_open_each_others(mlflow: MLflow, tmp_path: Path) -> None:  # noqa: F811  # the fixture
    """MLflow, lent our transformers, answers the same as we do; and its models open here, with their templates and parameters."""
    params = {"max_new_tokens": 4, "do_sample": False}
    save_model(_classifier(), tmp_path / "classifier", input_example=TEXTS, requirements=[])
    save_model(_writer(), tmp_path / "writer", input_example=(TEXTS, params), requirements=[])
    save_model(_gpt(), tmp_path / "bare", input_example=IDS, requirements=[])
    (tmp_path / "texts.json").write_text(json.dumps(TEXTS))
    np.save(tmp_path / "ids.npy", IDS)
    told = mlflow.ask(tmp_path, CODE, str(Path(transformers.__file__).parent.parent))
    assert (told["classifier kind"], told["writer kind"]) == ("TextClassificationPipeline", "TextGenerationPipeline")
    for name in ("classifier", "theirs-classifier"):
        answer = open_folder(tmp_path / name).predictor().predict(TEXTS)
        assert answer["label"].tolist() == told["classifier"][0]
        np.testing.assert_allclose(answer["score"], told["classifier"][1], rtol=1e-6)
    for name, given, said in (("writer", params, "writer"), ("theirs-writer", params, "writer"), ("theirs-prompted", {}, "prompted")):
        assert open_folder(tmp_path / name).predictor().predict(TEXTS, given)["generated_text"].tolist() == told[said]
    assert told["prompted"] != told["writer"]
    np.testing.assert_allclose(open_folder(tmp_path / "bare").predictor().predict(IDS), told["bare"], rtol=1e-5, atol=1e-6)
