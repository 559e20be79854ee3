"""Floor 5. Conda's packages under the names that the index of Python packages has for them, and those that it has under none.

Conda has packages of every language; a ``conda.yaml`` of a project names mostly Python's. Those are taken from Python's index, which is
said of each; for what is no Python package a real conda is needed, and it is named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from prefect_ledger.projects.spec import Conda

# Conda's name, and the index's where it is another.
_OTHERS = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost-cpu",
    "py-xgboost-gpu": "xgboost",
    "tensorflow-gpu": "tensorflow",
    "tensorflow-base": "tensorflow",
    "tensorflow-cpu": "tensorflow-cpu",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "matplotlib-base": "matplotlib",
    "seaborn-base": "seaborn",
    "dask-core": "dask",
    "ray-core": "ray",
    "ray-default": "ray[default]",
    "ray-tune": "ray[tune]",
    "msgpack-python": "msgpack",
    "pytables": "tables",
    "python-graphviz": "graphviz",
    "pyqt": "PyQt5",
    "psycopg2": "psycopg2-binary",
    "python-tzdata": "tzdata",
    "python-flatbuffers": "flatbuffers",
    "py-lightgbm": "lightgbm",
    "importlib_metadata": "importlib-metadata",
    "ruamel_yaml": "ruamel.yaml",
    "uvicorn-standard": "uvicorn[standard]",
    "jupyter_core": "jupyter-core",
    "mlflow-base": "mlflow",
    "faiss": "faiss-cpu",
}
# These say how conda is to choose, or bring what wheels have in them.
_LEFT_OUT = frozenset(
    "nomkl cpuonly blas libblas liblapack libcblas mkl mkl-service mkl_fft mkl_random llvm-openmp libgomp intel-openmp".split()
)
_LACKING = re.compile(
    r"(?:r-.*|r|_.*|lib.*|cuda.*|cudnn.*|nccl|pytorch-cuda|cudatoolkit.*|openjdk|java.*|nodejs|openmpi|mpich|gcc.*|gxx.*|gfortran.*|clang.*"
    r"|compilers|cxx-compiler|c-compiler|fortran-compiler|make|graphviz|ffmpeg|git|curl|openssl|hdf5|zlib|readline|sqlite|tk|ncurses"
    r"|bzip2|xz|ca-certificates|ld_impl.*|gdal|proj|geos|glib|icu|boost-cpp|boost|arrow-cpp|rust|go|perl|julia|postgresql|mysql"
    r"|bioconductor-.*|spark|hadoop|tbb|magma.*|sysroot.*|imagemagick|pandoc|texlive.*|rstudio|eigen|ninja-build)"
)
_WHEELS_OF_LIB = ("libsvm", "librosa", "libcst", "libsass")  # Python packages all the same
_SPEC = re.compile(r"(?:[\w./\-]+::)?(?P<name>[\w.\-]+)(?:\[.*\])?\s*(?P<version>[^\s].*)?", re.ASCII)
_SIGN = re.compile(r"(?P<sign>==|=|>=|<=|!=|~=|>|<)?\s*(?P<number>[\w.!+*\-]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Converted:
    """Lines for pip, what was ``said`` of each that is not written so, and what the index is ``lacking``."""

    lines: tuple[str, ...]
    said: tuple[str, ...]
    lacking: tuple[str, ...]


def converted(conda: Conda) -> Converted:
    """What ``conda`` asks for, from Python's index.

    Example:
        >>> from pathlib import Path
        >>> found = converted(Conda(Path("conda.yaml"), "3.11", ("pytorch=2.1", "numpy>=2", "cudatoolkit=11.8"), ("prefect==3.8",)))
        >>> found.lines, found.lacking
        (('torch==2.1.*', 'numpy>=2', 'prefect==3.8'), ('cudatoolkit',))
    """
    lines, said, lacking = list[str](), list[str](), list[str]()
    for text in conda.packages:
        found = _SPEC.fullmatch(text)
        name = found["name"].lower() if found is not None else text
        if found is None:
            lacking.append(text)
        elif name in _LEFT_OUT:
            said.append(f"{text} is left out: wheels bring what they need of it")
        elif name not in _WHEELS_OF_LIB and _LACKING.fullmatch(name):
            lacking.append(name)
        else:
            lines.append(line := _OTHERS.get(name, name) + _version(found["version"] or ""))
            said.append(f"{text} is taken from the index of Python packages, as {line}")
    return Converted((*lines, *conda.pip), tuple(said), tuple(lacking))


def _version(text: str) -> str:
    """Conda's way to say a version as pip's: ``=1.2`` means whatever begins so, a build behind a second ``=`` is left out.

    Example:
        >>> [_version(text) for text in ("=1.2", "==1.2", "=1.2.3=py39_0", ">=1.2,<2", "1.2.*", " 1.2")]
        ['==1.2.*', '==1.2', '==1.2.3', '>=1.2,<2', '==1.2.*', '==1.2']
    """
    said = []
    for part in map(str.strip, text.replace("|", ",").split(",")):
        built = re.fullmatch(r"(=|==)?\s*([\w.!+*\-]+)\s*[= ]\s*[\w*]+", part, re.ASCII)
        if built is not None and not part.startswith((">", "<", "!", "~")):
            said.append(f"=={built[2]}")
        elif (found := _SIGN.fullmatch(part)) is not None and found["number"] != "*":
            sign, number = found["sign"] or "==", found["number"]
            fuzzy = sign == "=" and not number.endswith("*")
            said.append(f"{'==' if sign == '=' else sign}{number}{'.*' if fuzzy else ''}")
    return ",".join(said)
