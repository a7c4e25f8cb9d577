"""`/docs`: the OpenAPI document and Swagger UI to read it with, both from this machine."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, HTMLResponse, Response

from voiceworker.api.problems import MEDIA_TYPE
from voiceworker.api.schema import CreateSession, ProblemDocument

# The package carries Swagger UI's own files; nothing else of it is used.
_ASSETS = Path(str(files(fastapi_offline) / "static"))

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' "
    "data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"Swagger UI writes style attributes; scripts come from files only"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>voiceworker API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger"></div>
<noscript>The page needs JavaScript; <a href="/openapi.json">openapi.json</a> does not.</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger", deepLinking: true, validatorUrl: null,
  persistAuthorization: false, displayRequestDuration: true,
});
"""
_DESCRIPTION = """\
Admits callers to voice agents on LiveKit. The request and the answer of `POST /v1/realtime/sessions` are LiveKit's
token-endpoint format, so every LiveKit client SDK can use it as its token source.

Make a key with `voiceworker keys create NAME --scope sessions:create --scope sessions:read`. Errors are problem
documents (RFC 9457) with a stable `code`.
"""


def documentation_routes() -> APIRouter:
    router = APIRouter(include_in_schema=False)
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}

    @router.get("/docs")
    async def page() -> HTMLResponse:
        return HTMLResponse(_PAGE, headers=headers)

    @router.get("/docs/start.js")
    async def start() -> Response:
        return Response(_START, media_type="text/javascript")

    @router.get("/docs/swagger-ui-bundle.js")
    async def script() -> FileResponse:
        return FileResponse(_ASSETS / "swagger-ui-bundle.js", media_type="text/javascript")

    @router.get("/docs/swagger-ui.css")
    async def style() -> FileResponse:
        return FileResponse(_ASSETS / "swagger-ui.css", media_type="text/css")

    return router


def describe(app: FastAPI) -> None:
    """Gives `app` an OpenAPI document with what the framework cannot see: the body, the key, the problems."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, model in (("CreateSession", CreateSession), ("Problem", ProblemDocument)):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[name] = schema
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["components"]["securitySchemes"] = {
        "apiKey": {"type": "http", "scheme": "bearer", "description": "A key made by `voiceworker keys create`."}
    }
    for path, item in document["paths"].items():
        for operation in item.values():
            if path.startswith("/v1/") or path == "/metrics":
                operation["security"] = [{"apiKey": []}]
            _without_framework_errors(operation)
    return document


def _without_framework_errors(operation: dict[str, Any]) -> None:
    # The framework announces its own 422 wherever a route has parameters; ours are problem documents.
    answer = operation["responses"].get("422")
    if answer is not None and MEDIA_TYPE not in answer.get("content", {}):
        del operation["responses"]["422"]
