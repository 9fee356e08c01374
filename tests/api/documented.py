"""Whether the OpenAPI document has what a view has answered: its status, and its `code`."""

import re
from typing import Any

import pytest
from rest_framework.response import Response

from common.api.problems import CONTENT_TYPE
from common.api.views import ApiView
from tests.api.hostile import document


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From here on, what views answer and the document does not have is put into this list."""
    found: list[str] = []
    finalize = ApiView.finalize_response

    def finalized(view: Any, request: Any, response: Response, *args: Any, **kwargs: Any) -> Any:
        made = finalize(view, request, response, *args, **kwargs)
        found.extend(_undocumented(request, made))
        return made

    monkeypatch.setattr(ApiView, "finalize_response", finalized)
    return found


def _undocumented(request: Any, response: Response) -> list[str]:
    path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", request.resolver_match.route)
    operation = document()["paths"].get(path, {}).get(request.method.lower())
    # No operation: a method that the path does not have, or a view of a test's own.
    if operation is None:
        return []
    where, status = f"{request.method} {path}", str(response.status_code)
    if status not in operation["responses"]:
        return [f"{where}: {status}"]
    problem = operation["responses"][status].get("content", {}).get(CONTENT_TYPE)
    known = problem and problem["schema"]["allOf"][1]["properties"]["code"]["enum"]
    code = response.data["code"] if known else None
    return [f"{where}: {status} {code}"] if known and code not in known else []
