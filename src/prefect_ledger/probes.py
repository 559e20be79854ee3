"""Floor 4. What the machine and this process are doing: CPU, memory, disk, network and, through NVML, GPUs.

Levels are those of now, rates those since the last reading. What cannot be read here is left out.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import Any

import psutil

MB = 1_000_000
_GUESTS = ("guest", "guest_nice")  # counted in others already


class Machine:
    """The machine and this process. The first reading has no rates."""

    def __init__(self, folder: str | os.PathLike[str] = ".") -> None:
        self._folder = folder
        self._process = psutil.Process()
        self._before: dict[str, float] = {}
        self._at = 0.0

    def read(self) -> dict[str, float]:
        """Values by name, such as ``cpu_percent``."""
        at, counts = time.monotonic(), self._counts()
        found = self._levels()
        before, passed = self._before, at - self._at
        self._before, self._at = counts, at
        if before and passed > 0:
            rates = {key: max(0.0, value - before[key]) for key, value in counts.items() if key in before}
            if total := rates.pop("cpu_total", 0.0):
                found["cpu_percent"] = 100 * min(1.0, rates.get("cpu_busy", 0.0) / total)
            rates.pop("cpu_busy", None)
            found["process.cpu_percent"] = 100 * rates.pop("process_cpu") / passed
            found |= {key: value / passed / MB for key, value in rates.items()}
        return found

    def _levels(self) -> dict[str, float]:
        memory = psutil.virtual_memory()
        found = {"memory_percent": memory.percent, "memory_mb": (memory.total - memory.available) / MB}
        try:
            found["process.memory_mb"] = self._process.memory_info().rss / MB
            found["disk_percent"] = psutil.disk_usage(os.fspath(self._folder)).percent
        except (OSError, psutil.Error):  # the folder was removed, or /proc is hidden
            pass
        return found

    def _counts(self) -> dict[str, float]:
        """What only grows, by the names of their rates; bytes and seconds."""
        cpu = psutil.cpu_times()._asdict()
        total = sum(seconds for kind, seconds in cpu.items() if kind not in _GUESTS)
        idle = cpu.get("idle", 0.0) + cpu.get("iowait", 0.0)
        found = {"cpu_total": total, "cpu_busy": total - idle, "process_cpu": time.process_time()}
        disk, net = _tried(psutil.disk_io_counters), _tried(psutil.net_io_counters)
        if disk is not None:
            found |= {"disk_read_mb_per_s": disk.read_bytes, "disk_written_mb_per_s": disk.write_bytes}
        if net is not None:
            found |= {"net_received_mb_per_s": net.bytes_recv, "net_sent_mb_per_s": net.bytes_sent}
        return found


def _tried(count: Any) -> Any:
    try:
        return count()  # None without disks, as in some containers
    except (OSError, RuntimeError, ValueError):  # /proc is hidden, or says what psutil does not understand
        return None


class Gpus:
    """The NVIDIA GPUs that this process may use, read through ``nvml``, the module ``pynvml``. ``busy`` is how many were, in the mean."""

    def __init__(self, nvml: Any, visible: str | None = None) -> None:
        self.busy = 0.0
        self._nvml = nvml
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        uuids = [_text(nvml.nvmlDeviceGetUUID(handle)) for handle in handles]
        self._handles = {index: handles[index] for index in chosen(uuids, visible)}

    def read(self) -> dict[str, float]:
        """Values by name, such as ``gpu.0.percent``; a GPU that does not answer is left out."""
        found: dict[str, float] = {}
        self.busy = 0.0
        for index, handle in self._handles.items():
            name = f"gpu.{index}"
            for read in (self._load, self._memory, self._power):
                try:
                    found |= {f"{name}.{key}": value for key, value in read(handle).items()}
                except self._nvml.NVMLError:  # not supported by this one, or lost
                    continue
            self.busy += found.get(f"{name}.percent", 0.0) / 100
        return found

    def _load(self, handle: Any) -> Mapping[str, float]:
        return {"percent": float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)}

    def _memory(self, handle: Any) -> Mapping[str, float]:
        memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
        return {"memory_percent": 100 * memory.used / memory.total, "memory_mb": memory.used / MB}

    def _power(self, handle: Any) -> Mapping[str, float]:
        return {"watts": self._nvml.nvmlDeviceGetPowerUsage(handle) / 1000}


def gpus() -> Gpus | None:
    """The GPUs of this process; None where there are none, no driver, or no ``nvidia-ml-py`` (extra ``gpu``)."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        found = Gpus(pynvml, os.environ.get("CUDA_VISIBLE_DEVICES"))
    except pynvml.NVMLError:
        return None
    return found if found._handles else None


def chosen(uuids: list[str], visible: str | None) -> list[int]:
    """The indices of the GPUs that ``CUDA_VISIBLE_DEVICES`` lets be seen; like CUDA, up to the first word that means none.

    Example:
        >>> chosen(["GPU-aa", "GPU-bb"], "1")
        [1]
        >>> chosen(["GPU-aa", "GPU-bb"], None)
        [0, 1]
    """
    if visible is None:
        return list(range(len(uuids)))
    found: list[int] = []
    for word in re.split(r"\s*,\s*", visible.strip()):
        by_name = [index for index, uuid in enumerate(uuids) if word and uuid.startswith(word)]
        index = int(word) if re.fullmatch(r"\d{1,4}", word) else by_name[0] if len(by_name) == 1 else -1
        if not 0 <= index < len(uuids) or index in found:
            break
        found.append(index)
    return found


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
