"""Floor 4. Hugging Face transformers: pipelines of texts, and models by themselves, as safetensors and JSON.

A folder of transformers' can bring code, and name code, files and models elsewhere, which opening it would fetch and run. Here only
transformers' own classes are made, from what is in the folder (``hub_files``), so nobody has to answer for one; nothing is ever fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.flavors import hub_files, hub_tensors, hub_texts
from prefect_ledger.models.flavors.base import Entry, Flavor, Predict, Saved, class_name, made_by, version_of
from prefect_ledger.models.flavors.resting import resting
from prefect_ledger.models.model_file import FUNCTION, inside, read

_MODEL, _PIPELINE = "transformers.modeling_utils.PreTrainedModel", "transformers.pipelines.base.Pipeline"
_FOLDER, _PARTS, _TOKENIZER = "model", "components", "tokenizer"  # MLflow's names
_TASKS: Mapping[str, str] = {
    "text-classification": "TextClassificationPipeline",
    "text-generation": "TextGenerationPipeline",
    "token-classification": "TokenClassificationPipeline",
    "fill-mask": "FillMaskPipeline",
    "feature-extraction": "FeatureExtractionPipeline",
    "zero-shot-classification": "ZeroShotClassificationPipeline",
}
_ALIASES: Mapping[str, str] = {"sentiment-analysis": "text-classification", "ner": "token-classification"}
_BY_NAME: Mapping[str, str] = {
    "ForSequenceClassification": "text-classification",
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "ForTokenClassification": "token-classification",
    "ForMaskedLM": "fill-mask",
    "Model": "feature-extraction",
}
_DEFAULTS = ("_preprocess_params", "_forward_params", "_postprocess_params", "_generate_kwargs")
_HUB = re.compile(r"[\w-][\w.-]*/[\w.-]+")


class Transformers(Flavor):
    """``transformers.Pipeline`` of texts, ``{"model": ..., "tokenizer": ...}``, and ``transformers.PreTrainedModel``."""

    name: ClassVar[str] = "transformers"
    module: ClassVar[str] = "transformers"
    forms: ClassVar[tuple[str, ...]] = ("safetensors",)

    def claims(self, model: object) -> bool:
        if type(model) is dict:
            return made_by(model.get("model"), _MODEL)
        own = type(model).__module__.startswith("transformers.")  # what is made below it is PyTorch's, which keeps code
        return made_by(model, _PIPELINE) or (own and made_by(model, _MODEL))

    def save(self, model: Any, folder: Path, form: str) -> Saved:  # noqa: ARG002
        transformers = self.framework()
        net = _net(model)
        _check_own(net, "PreTrainedModel")
        if (pipeline := _pipeline(transformers, model)) is not None:
            _check_own(pipeline.tokenizer, "PreTrainedTokenizerBase")
        if getattr(net, "hf_quantizer", None) is not None or any(one.is_meta for one in net.parameters()):
            raise InvalidValue(f"this {type(net).__name__} is quantized, or not whole in memory: give one that is neither")
        entry: dict[str, Any] = {
            "transformers_version": version_of(transformers),
            "code": None,
            "task": pipeline.task if pipeline is not None else None,
            "instance_type": type(net if pipeline is None else pipeline).__name__,
            "torch_dtype": str(net.dtype),
            "pipeline_model_type": type(net).__name__,
            "source_model_name": net.name_or_path if _HUB.fullmatch(net.name_or_path or "") else "",
            "model_binary": _FOLDER,
            "components": [],
        }
        try:
            net.save_pretrained(folder / _FOLDER)
            if pipeline is not None:
                pipeline.tokenizer.save_pretrained(folder / _PARTS / _TOKENIZER)
        except Exception as error:  # the model's own code
            raise InvalidValue(f"this {type(net).__name__} cannot be saved: {type(error).__name__}: {str(error)[:300]}") from error
        if pipeline is None:
            return Saved(entry, {}, ("transformers", "torch"))
        entry |= {"components": [_TOKENIZER], "tokenizer_type": type(pipeline.tokenizer).__name__}
        return Saved(entry, {"loader_module": "mlflow.transformers"}, ("transformers", "torch", "pandas"), _lost(pipeline))

    def danger(self, folder: Path, entry: Entry) -> str:  # noqa: ARG002  # what would run code is not opened at all
        return ""

    def load(self, folder: Path, entry: Entry) -> Any:
        transformers = self.framework()
        self._check_torch()
        place = _whole(folder, entry)
        kind = hub_files.own_class(entry.get("pipeline_model_type"), "PreTrainedModel")
        net = hub_files.model(place, kind, entry.get("torch_dtype") or "")
        if not entry.get("components"):
            return net
        task = _task(entry.get("task"))
        token = hub_files.own_class(entry.get("tokenizer_type"), "PreTrainedTokenizerBase")
        return _made(transformers, task, net, hub_files.tokenizer(inside(folder, f"{_PARTS}/{_TOKENIZER}"), token))

    def predictor(self, model: Any, entry: Entry, folder: Path | None = None) -> Predict:
        transformers = self.framework()
        pipeline = _pipeline(transformers, model)
        if pipeline is None:
            return hub_tensors.predictor(_net(model))
        if entry.get("inference_task"):
            raise InvalidValue(f"{entry['inference_task']!r:.80} is not answered here: load_model gives the pipeline")
        template, always = _said(folder)
        one_at_a_time = Lock()  # tokenizers keep how they were asked to cut

        def ask(data: Any, params: Mapping[str, Any]) -> Any:
            params = {**always, **params}
            hub_texts.check_params(params)
            given, index = hub_texts.parse(data, pairs=pipeline.task in ("text-classification", "sentiment-analysis"))
            if template:
                given = [template.replace("{prompt}", one) if isinstance(one, str) else one for one in given]
            with one_at_a_time, resting(pipeline.model):
                return hub_texts.ask(pipeline, _task(pipeline.task), given, params, index)

        return ask

    def _check_torch(self) -> None:
        from prefect_ledger.models.flavors.pytorch import PyTorch

        PyTorch().framework(f"a model of the flavor {self.name!r}")


def _net(model: Any) -> Any:
    return model["model"] if isinstance(model, dict) else model.model if made_by(model, _PIPELINE) else model


def _pipeline(transformers: Any, model: Any) -> Any:
    """``model`` as a pipeline of texts; None for a model by itself.

    Raises:
        InvalidValue: it is one of other things than texts, or no pipeline can be made of it.
    """
    if made_by(model, _PIPELINE):
        if type(model) is not getattr(transformers, _TASKS[_task(model.task)]):
            raise InvalidValue(f"a {class_name(type(model))} is no pipeline of transformers' own: log its model, or it as flavor='python'")
        if any(getattr(model, name, None) is not None for name in ("feature_extractor", "image_processor", "processor")):
            raise InvalidValue("a pipeline with a processor of images or sounds is not saved here: log its model by itself")
        return model
    if not isinstance(model, dict):
        return None
    if strange := set(model) - {"model", "tokenizer", "task"}:
        raise InvalidValue(f"a dict of transformers has 'model', 'tokenizer' and 'task', not {min(map(repr, strange)):.80}")
    if (tokenizer := model.get("tokenizer")) is None:
        return None
    name = type(model["model"]).__name__
    task = model.get("task") or next((one for ending, one in _BY_NAME.items() if name.endswith(ending)), None)
    if task is None:
        raise InvalidValue(f"no task is known for a {name}: add 'task' to the dict, one of {', '.join(_TASKS)}")
    return _made(transformers, _task(task), model["model"], tokenizer, device=-1)


def _made(transformers: Any, task: str, net: Any, tokenizer: Any, **more: Any) -> Any:
    try:
        return getattr(transformers, _TASKS[task])(model=net, tokenizer=tokenizer, task=task, **more)
    except Exception as error:  # it looks at much of the model and the tokenizer
        said = f"{type(error).__name__}: {str(error)[:300]}"
        raise InvalidValue(f"no pipeline for {task} can be made of a {type(net).__name__}: {said}") from error


def _task(name: Any) -> str:
    """A task's own name.

    Raises:
        InvalidValue: pipelines for it are not saved or opened here.
    """
    task = _ALIASES.get(name, name) if isinstance(name, str) else ""
    if task not in _TASKS:
        raise InvalidValue(f"pipelines for {name!r:.80} are not saved or opened here, only for {', '.join(_TASKS)}")
    return str(task)


def _check_own(one: Any, base: str) -> None:
    """Refuse what only code of the caller's could make again.

    Raises:
        InvalidValue: ``one`` is such.
    """
    name = type(one).__name__
    try:
        fine = hub_files.own_class(name, base) is type(one)
    except InvalidValue:
        fine = False
    if not fine:
        raise InvalidValue(
            f"a {class_name(type(one))} is none of transformers' own classes, so it cannot be opened without running its code: "
            f"log the model by itself with flavor='pytorch:module', which pickles it, and give its code in code_paths"
        )


def _lost(pipeline: Any) -> str:
    """What the format has no place for."""
    fresh = type(pipeline)(model=pipeline.model, tokenizer=pipeline.tokenizer, task=pipeline.task, device=-1)
    lost = {name for key in _DEFAULTS for name, one in getattr(pipeline, key, {}).items() if getattr(fresh, key, {}).get(name) != one}
    return f"its pipeline was made with {', '.join(sorted(lost))}, which is not kept: give that as params" if lost else ""


def _whole(folder: Path, entry: Entry) -> Path:
    """Where the model's files are.

    Raises:
        InvalidValue: it has parts that are elsewhere, or that are not opened here.
    """
    if (name := entry.get("model_binary")) is None:
        raise InvalidValue(f"the model in {folder} was saved without its weights, as a name on a hub, and nothing is fetched from there")
    if more := [key for key in ("peft_adaptor", "processor_type", "local_base_model_path", "source_model_revision") if entry.get(key)]:
        raise InvalidValue(f"the model in {folder} has a {more[0]!r}, which is not opened here")
    if entry.get("components") not in ([], None, [_TOKENIZER]):
        raise InvalidValue(f"the model in {folder} has other parts than a tokenizer, which are not opened here")
    return inside(folder, str(name))


def _said(folder: Path | None) -> tuple[str, Mapping[str, Any]]:
    """What a model that MLflow saved has for each call: a template around each text, and parameters."""
    if folder is None:
        return "", {}
    file = read(folder)
    template, always = file.metadata.get("prompt_template"), file.flavors.get(FUNCTION, {}).get("config")
    return template if isinstance(template, str) else "", always if isinstance(always, dict) else {}
