"""Floor 5. What an artifact is by its path: the media type, and the kind that says how it is best shown.

The table is our own: what Python's ``mimetypes`` says depends on the machine, and a file logged here must be shown the same there.
"""

from __future__ import annotations

import mimetypes
import posixpath

_TYPES = {
    f".{suffix}": media
    for media, suffixes in {
        "application/geo+json": "geojson",
        "application/gzip": "gz tgz",
        "application/json": "json",
        "application/pdf": "pdf",
        "application/toml": "toml",
        "application/vnd.apache.arrow.file": "arrow feather",
        "application/vnd.apache.parquet": "parquet",
        "application/x-hdf5": "h5 hdf5",
        "application/x-ipynb+json": "ipynb",
        "application/x-ndjson": "jsonl ndjson",
        "application/xml": "xml",
        "application/yaml": "yaml yml",
        "application/zip": "zip",
        "application/zstd": "zst",
        "audio/aac": "aac",
        "audio/flac": "flac",
        "audio/midi": "mid midi",
        "audio/mp4": "m4a",
        "audio/mpeg": "mp3",
        "audio/ogg": "oga ogg opus",
        "audio/wav": "wav",
        "image/avif": "avif",
        "image/bmp": "bmp",
        "image/gif": "gif",
        "image/jpeg": "jpeg jpg",
        "image/png": "apng png",
        "image/svg+xml": "svg",
        "image/tiff": "tif tiff",
        "image/webp": "webp",
        "model/gltf+json": "gltf",
        "model/gltf-binary": "glb",
        "model/obj": "obj",
        "model/stl": "stl",
        "text/css": "css",
        "text/csv": "csv",
        "text/html": "htm html",
        "text/javascript": "js mjs",
        "text/markdown": "markdown md",
        "text/plain": "cfg conf ini log out rst txt",
        "text/tab-separated-values": "tsv",
        "text/x-python": "py",
        "video/mp4": "m4v mp4",
        "video/ogg": "ogv",
        "video/quicktime": "mov",
        "video/webm": "webm",
        "video/x-matroska": "mkv",
    }.items()
    for suffix in suffixes.split()
}
_KINDS = {
    "application/json": "dict",
    "application/pdf": "pdf",
    "application/vnd.apache.arrow.file": "table",
    "application/vnd.apache.parquet": "table",
    "application/xml": "text",
    "application/x-ndjson": "text",
    "application/yaml": "dict",
    "text/csv": "table",
    "text/html": "html",
    "text/markdown": "markdown",
    "text/tab-separated-values": "table",
}
_FAMILIES = {"audio": "audio", "image": "image", "model": "mesh", "text": "text", "video": "video"}


def media_type(path: str) -> str:
    """The media type of a file with this path, such as "image/png"; "" where nobody knows one.

    Example:
        >>> media_type("sounds/one.WAV")
        'audio/wav'
    """
    suffix = posixpath.splitext(path)[1]
    return (_TYPES.get(suffix.lower()) or mimetypes.guess_type(path)[0] or "") if suffix else ""


def kind_of(media: str) -> str:
    """How something of this media type is best shown: "image", "audio", "video", "html", "markdown", "table", "pdf", "dict", "text" or
    "mesh"; "file" for what is only to be downloaded.

    Example:
        >>> kind_of("image/png"), kind_of("application/zip")
        ('image', 'file')
    """
    return _KINDS.get(media) or _FAMILIES.get(media.partition("/")[0], "file")
