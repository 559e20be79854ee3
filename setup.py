"""The list of packages, which pyproject.toml cannot say.

``flows/`` and ``dashboard/`` lie at the top of the repository and are installed inside ``prefect_ledger``, never as top-level
packages that would shadow a user's own folders. (Below ``src`` there are links to them for tools that read files instead of
installing anything; the build does not need the links.)
"""

from __future__ import annotations

from setuptools import find_namespace_packages, setup

ELSEWHERE = {"prefect_ledger.flows": "flows", "prefect_ledger.dashboard": "dashboard"}


def packages() -> list[str]:
    """Every folder below, under the name it is installed by; those of data and migrations have no ``__init__.py``."""
    links = [pattern for name in ELSEWHERE for pattern in (name, f"{name}.*")]
    found: list[str] = find_namespace_packages("src", exclude=["*__pycache__*", *links])
    for name, folder in ELSEWHERE.items():
        found += [name, *(f"{name}.{child}" for child in find_namespace_packages(folder, exclude=["*__pycache__*"]))]
    return found


setup(
    package_dir={"": "src", **ELSEWHERE},
    packages=packages(),
    package_data={"prefect_ledger": ["py.typed"], "": ["*.md", "*.mako", "*.sql", "*.json", "*.svg"]},
)
