"""The client of Label Studio, on top of label-studio-sdk."""

from ml_backend.label_studio.access import token_kind
from ml_backend.label_studio.backends import Backend, BackendCalls, Webhook, webhook_url
from ml_backend.label_studio.checks import TESTED_VERSION
from ml_backend.label_studio.projects import Project, ProjectCalls, same_config
from ml_backend.label_studio.task_calls import TaskCalls
from ml_backend.label_studio.transport import (
    FIX_BANNED,
    UnreachableError,
    first_answer,
    server_version,
)

__all__ = [
    "FIX_BANNED",
    "TESTED_VERSION",
    "Backend",
    "Project",
    "ReviewServer",
    "UnreachableError",
    "Webhook",
    "first_answer",
    "same_config",
    "server_version",
    "token_kind",
    "webhook_url",
]


class ReviewServer(ProjectCalls, TaskCalls, BackendCalls):
    """A Label Studio server with all calls that spanferry makes; see `ApiSession`."""
