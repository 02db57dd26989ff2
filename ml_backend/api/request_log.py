"""The log: lines as text or JSON, each with the id of the request it belongs to."""

import json
import logging
import re
import sys
import time
import uuid

from flask import Flask, Response, g, has_request_context, request
from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # published without types

from ml_backend.settings import Settings

HEADER = "X-Request-ID"

log = logging.getLogger(__name__)


class RootLogger(Logger):  # type: ignore[misc]  # its base is untyped
    """gunicorn's messages among all others, in the same format."""

    def setup(self, cfg: object) -> None:
        """Leave the format to the root logger."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class JsonFormatter(logging.Formatter):
    """A log record as a JSON object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return `{"time", "level", "logger", "message", …}`."""
        line: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if has_request_context() and "request_id" in g:
            line["request_id"] = g.request_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure_logging(settings: Settings) -> None:
    """Log to stderr as the settings say."""
    text = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else text)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    if settings.log_text:
        logging.getLogger("ml_backend").setLevel(logging.DEBUG)


def log_requests(app: Flask, settings: Settings) -> None:
    """Give every request an id, its client's if that is one; as JSON, log how it was answered."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get(HEADER, "")
        g.request_id = given if re.fullmatch(r"[\w.-]{1,64}", given, re.ASCII) else uuid.uuid4().hex
        g.began = time.monotonic()

    @app.after_request
    def end(response: Response) -> Response:
        response.headers[HEADER] = g.request_id
        if settings.log_format == "json":
            fields = {
                "endpoint": request.endpoint,
                "status": response.status_code,
                "seconds": round(time.monotonic() - g.began, 4),
            }
            log.info("%s %s", request.method, request.endpoint, extra={"fields": fields})
        return response
