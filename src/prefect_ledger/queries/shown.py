"""Floor 3. Pictures and figures of a run as they are read back."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prefect_ledger.entities import Artifact, RunReader
from prefect_ledger.errors import InvalidValue, MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture or figure of a run: of the series ``key`` at ``step``, both None where it was logged under a path.

    ``artifact`` is where it lies; its metadata has the media type and a picture's width and height in pixels.
    """

    key: str | None
    step: int | None
    artifact: Artifact
    reader: RunReader | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<{self.artifact.kind} {self.path!r}>"

    @property
    def path(self) -> str:
        """Its path among the run's artifacts."""
        return self.artifact.path

    @property
    def media(self) -> str:
        """Its media type, such as "image/png"."""
        return str(self.artifact.metadata.get("media", ""))

    def read(self) -> bytes:
        """The bytes of its file, digest checked.

        Raises:
            ArtifactCorrupt: they are not what was logged. ArtifactNotFound, ArtifactsUnavailable.
        """
        if self.reader is None:
            raise RuntimeError("this picture was made by hand and has no ledger behind it; use get_run(id).images(key)")
        return self.reader.read_artifact(self.artifact)

    def open(self) -> PillowImage:
        """The picture as a Pillow image, loaded whole.

        Raises:
            InvalidValue: no picture that Pillow knows, such as a page of plotly's. MissingExtra: no Pillow. Else as :meth:`read`.
        """
        data = self.read()
        try:
            from PIL import Image as Pillow

            picture = Pillow.open(io.BytesIO(data))
            picture.load()
        except ImportError as error:
            raise MissingExtra("pillow", "media", need="opening a picture") from error
        except Exception as error:  # Pillow's readers raise all sorts
            raise InvalidValue(f"{self.path!r} ({self.media}) does not open as a picture: {error}; read() gives its bytes") from error
        return picture

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows; an SVG, which may hold a program, is not shown by itself."""
        return self.read() if self.media == "image/png" else None

    def _repr_jpeg_(self) -> bytes | None:
        return self.read() if self.media == "image/jpeg" else None
