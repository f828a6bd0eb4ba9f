"""What kinds of models of images share: settings, training, and networks of timm with a classifier.

A kind's file imports torch where it builds, see `kind`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from talking_models.errors import nearest
from talking_models.models.kind import CLIP, ModelSettings
from talking_models.strict import Strict

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from talking_models.models.base import LayeredModel
    from talking_models.models.files import Backbone

GRAY = (0.5, 0.5, 0.5)
PARTS = ("low", "high", "output")  # what is kept of a teacher's answers to the training images
Name = Annotated[
    str, Field(min_length=1, description="A network of timm, with the tag of its weights.")
]


class ImageTraining(Strict):
    """How a model of images is trained: a linear warm-up, then half a cosine."""

    steps: int = Field(20_000, ge=1, description="Optimiser steps.")
    batch_size: int = Field(512, ge=1, description="Images per step, over all devices.")
    micro_batch_size: int | None = Field(
        None,
        ge=1,
        description="Images at once on a device; their gradients add up to a step's. null: a "
        "step's images, divided among the devices.",
    )
    optimiser: Literal["sgd", "adamw"] = Field(
        "sgd", description="SGD with momentum, as the ViT paper fine-tunes, or AdamW."
    )
    learning_rate: float = Field(0.03, gt=0, le=1, description="The highest learning rate.")
    module_learning_rate: float | None = Field(
        None,
        gt=0,
        le=1,
        description="That of a method's own modules, such as encoders; null: the same.",
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of SGD.")
    weight_decay: float = Field(
        0.0, ge=0, description="Of AdamW, on matrices: not on biases, norms, position, class token."
    )
    warmup_steps: int = Field(500, ge=0, description="Steps in which the learning rate rises.")
    clip: float = CLIP
    smallest_area: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Least share of an image that a random crop keeps; 1: the whole image.",
    )
    shift: int = Field(
        0,
        ge=0,
        description="With the whole image: most pixels that it is shifted by, its edge reflected.",
    )
    flip: bool = Field(True, description="Whether half of the images are mirrored.")
    prepare_images: int = Field(
        10_000, ge=1, description="Most images that a method sees before it starts (FD's margins)."
    )
    log_every: int = Field(
        100,
        ge=1,
        description="Steps between two lines of the logs; one costs a backward pass a part.",
    )
    evaluate_every: int = Field(
        1_000, ge=1, description="Steps between two looks at the val slice; the last is always one."
    )
    checkpoint_every: int = Field(
        500, ge=1, description="Steps between two checkpoints, from which a killed job goes on."
    )

    @model_validator(mode="after")
    def _steps_fit_together(self) -> ImageTraining:
        micro = self.micro_batch_size
        if self.shift and self.smallest_area < 1:
            text = f"shift {self.shift} beside smallest_area {self.smallest_area}, a crop"
        elif self.weight_decay and self.optimiser == "sgd":
            text = f"weight_decay {self.weight_decay} of optimiser sgd has no effect"
        elif self.warmup_steps >= self.steps:
            text = f"warmup_steps {self.warmup_steps} never end in steps {self.steps}"
        elif micro is not None and self.batch_size % micro:
            text = f"batch_size {self.batch_size} is no multiple of micro_batch_size {micro}"
        else:
            return self
        raise ValueError(f"{text}: change one of them")


class Probe(Strict):
    """A teacher's classifier: softmax regression on its frozen features, by AdamW."""

    epochs: int = Field(30, ge=1, description="Passes over the training images' features.")
    batch_size: int = Field(1024, ge=1, description="Images per step.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Where the cosine begins.")
    weight_decay: float = Field(1e-2, ge=0, description="Weight decay of AdamW.")


class ImageSettings(ModelSettings):
    """A network of timm, cut at two places into lower, upper and head."""

    name: Name
    weights: str = Field(
        "hub",
        min_length=1,
        description="`hub`: timm's, from the Hugging Face hub; `random`: none, to try things; else "
        "a safetensors file, relative to the repository root (`python -m "
        "talking_models.models.weights FILE OUT.safetensors` makes one of .pth or .npz).",
    )
    origin: str | None = Field(
        None, description="Where its weights come from, for pages; null: what `weights` says."
    )
    image_size: int = Field(
        384, ge=1, description="Height and width that images are resized to, in pixels."
    )
    options: dict[str, Any] = Field(
        {}, description="Further arguments of `timm.create_model`, such as `embed_dim`."
    )
    probe: Probe = Field(
        default_factory=Probe, description="The classifier that it gets if it teaches untrained."
    )
    training: ImageTraining = Field(default_factory=ImageTraining, description="Its training.")


class ImageKind:
    """With `ModelKind`, the base of a kind of networks of timm: it says how they are `cut`."""

    family = "images"
    pretrained = True

    @classmethod
    def net(cls, settings: dict[str, Any], **more: Any) -> nn.Module:
        """A network without classifier, its random weights always the same; or a ValueError."""
        import timm
        import torch

        name = settings["name"]
        known, _, _ = name.partition(".")
        if not timm.is_model(known):
            raise ValueError(f"timm has no model {name!r}{nearest(known, timm.list_models())}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return timm.create_model(
                name, pretrained=False, num_classes=0, **more, **settings["options"]
            )

    @classmethod
    def cut(cls, settings: dict[str, Any], net: nn.Module, teachers=()) -> LayeredModel:
        """`net` in three parts, to learn from these teachers; a ValueError if they cannot talk."""
        raise NotImplementedError

    @classmethod
    def make_backbone(
        cls, settings: dict[str, Any], weights: str | Path | None, output: str | Path
    ) -> None:
        """Bring a network into the form that all jobs read, a `files.Backbone`.

        Its weights are those of a file, or random ones; raises as `net`, `pretrained` and `cut`.
        """
        from talking_models.models.files import Backbone, Look
        from talking_models.models.weights import pretrained

        net = cls.net(settings)
        if weights is not None:
            pretrained(net, weights)
        colours = (settings.get(k) or net.pretrained_cfg.get(k, GRAY) for k in ("mean", "std"))
        made = Backbone(Look(settings["image_size"], *map(tuple, colours)), net.state_dict())
        cls.cut(settings, net)  # refused before anything is trained
        made.save(output)

    @classmethod
    def student(
        cls, settings: dict[str, Any], classes: int, backbone: Backbone | None = None, teachers=()
    ) -> LayeredModel:
        """A model before training, with a classifier of zeros; None: weights will be put."""
        from talking_models.models.weights import load

        net = cls.net(settings)
        if backbone is not None:
            load(net, backbone.weights, "the backbone")
        return cls.cut(settings, with_classes(net, classes), teachers)

    @classmethod
    def teacher(cls, settings: dict[str, Any], backbone: Backbone, probe=None) -> LayeredModel:
        """A pre-trained model; with the weights of a probe its outputs are logits."""
        from talking_models.models.weights import load

        net = load(cls.net(settings), backbone.weights, "the backbone")
        if probe is not None:
            load(with_classes(net, len(probe["bias"])).get_classifier(), probe, "the probe")
        return cls.cut(settings, net)


def with_classes(net: Any, classes: int) -> Any:
    """`net` itself with a new linear classifier, all zeros."""
    net.reset_classifier(classes)
    for parameter in net.get_classifier().parameters():
        parameter.data.zero_()
    return net
