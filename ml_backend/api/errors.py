"""Every error as `{"error": …}`; details of internal errors, and task text, stay inside."""

import logging
import traceback
from http import HTTPStatus

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from ml_backend.api.wire import BodyTooLargeError, RequestError
from ml_backend.serving.model_queue import ClientGoneError, NotReadyError

log = logging.getLogger(__name__)

_CLIENT_GONE = 499  # nginx's number, which nobody receives


def answer_errors(app: Flask, *, log_text: bool) -> None:
    """Answer every error in JSON. `log_text` logs what may quote task text, too."""

    @app.errorhandler(Exception)
    def answer_error(error: Exception) -> ResponseReturnValue:
        headers: dict[str, str] = {}
        status: int
        match error:
            case BodyTooLargeError():
                status, said = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)
                log.warning("%s", error)
            case RequestError():
                status, said = HTTPStatus.BAD_REQUEST, str(error)
                log.warning("%s", error)
            case NotReadyError():
                status, said = HTTPStatus.SERVICE_UNAVAILABLE, str(error)
                headers["Retry-After"] = str(error.retry_after)
                log.warning("%s: %s", request.path, error)
            case ClientGoneError():
                status, said = _CLIENT_GONE, str(error)
            case HTTPException():
                status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
                said = f"{request.path}: {error.description}"
                # These matter: which methods are allowed, how to authenticate.
                theirs = error.get_response().headers
                headers = {k: v for k, v in theirs if not k.lower().startswith("content-")}
            case _:
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                said = f"{request.path}: internal error. The backend's log says more"
                log.error("%s failed: %s", request.path, _without_text(error))
                if log_text:
                    log.debug("%s failed", request.path, exc_info=error)
        return jsonify({"error": said}), int(status), headers


def _without_text(error: BaseException) -> str:
    """Return an exception's class and where it was raised; its message may quote a task."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    return "\n".join([type(error).__name__, *lines])
