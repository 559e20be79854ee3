"""The registry: models, versions, stages, aliases, who agreed and on what evidence."""

from __future__ import annotations

from prefect_ledger.identities import Identity, Strength
from prefect_ledger.registered import STAGES, Change, ModelVersion, Note, RegisteredModel, TransitionRequest
from prefect_ledger.registry.asking import get_request, list_requests, request_transition, withdraw
from prefect_ledger.registry.auditing import AuditHead, audit_head, export_audit, verify_audit
from prefect_ledger.registry.going_back import previous, rollback
from prefect_ledger.registry.history import as_of, history
from prefect_ledger.registry.models import (
    create_model,
    delete_model,
    describe_model,
    get_model,
    list_models,
    rename_model,
    restore_model,
    tag_model,
)
from prefect_ledger.registry.replaying import Replay, get_evidence, replay
from prefect_ledger.registry.rules import PolicyVersion, get_policy, set_policy
from prefect_ledger.registry.settling import settle
from prefect_ledger.registry.stages import transition
from prefect_ledger.registry.undoing import undo
from prefect_ledger.registry.versions import (
    annotate,
    delete_version,
    describe_version,
    get_version,
    list_versions,
    notes,
    register_logged,
    register_model,
    restore_version,
    search_versions,
    set_alias,
    tag_version,
)
from prefect_ledger.registry.voting import approve, reject, to_sign

__all__ = [
    "STAGES",
    "AuditHead",
    "Change",
    "Identity",
    "ModelVersion",
    "Note",
    "PolicyVersion",
    "RegisteredModel",
    "Replay",
    "Strength",
    "TransitionRequest",
    "annotate",
    "approve",
    "as_of",
    "audit_head",
    "create_model",
    "delete_model",
    "delete_version",
    "describe_model",
    "describe_version",
    "export_audit",
    "get_evidence",
    "get_model",
    "get_policy",
    "get_request",
    "get_version",
    "history",
    "list_models",
    "list_requests",
    "list_versions",
    "notes",
    "previous",
    "register_logged",
    "register_model",
    "reject",
    "rename_model",
    "replay",
    "request_transition",
    "restore_model",
    "restore_version",
    "rollback",
    "search_versions",
    "set_alias",
    "set_policy",
    "settle",
    "tag_model",
    "tag_version",
    "to_sign",
    "transition",
    "undo",
    "verify_audit",
    "withdraw",
]
