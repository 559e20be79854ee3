"""The package list, which pyproject.toml cannot say: ``flows/`` and ``dashboard/`` lie at the top of the repository and
are installed inside ``prefect_ledger``, never as top-level packages that would shadow a user's own folders."""

from __future__ import annotations

from setuptools import find_packages, setup

PACKAGE_DIR = {"": "src", "prefect_ledger.flows": "flows", "prefect_ledger.dashboard": "dashboard"}


def packages() -> list[str]:
    found = find_packages("src")
    for name, folder in PACKAGE_DIR.items():
        if name:
            found += [name, *(f"{name}.{child}" for child in find_packages(folder))]
    return found


setup(
    package_dir=PACKAGE_DIR,
    packages=packages(),
    package_data={"prefect_ledger": ["py.typed"], "": ["*.md", "*.mako", "*.sql", "*.json"]},
)
