"""`POST /mockchain/`: mounted only where MOCK_CHAIN is set."""

import json
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from payments.chain.node import envelope, services

MOST_BYTES: Final = 256 * 1024


@csrf_exempt
@require_POST
def rpc(request: HttpRequest) -> HttpResponse:
    """As geth: 415 for another content type, 413 for a long body, else 200 with errors inside."""
    if request.content_type != "application/json":
        # What a form of another site can send is not JSON.
        return HttpResponse("invalid content type, only application/json is supported", status=415)
    if len(request.body) > MOST_BYTES:
        return HttpResponse("content length too large", status=413)
    services.chain_ensure()
    found = envelope.answer(request.body)
    if found is None:
        return HttpResponse(status=204)
    return HttpResponse(json.dumps(found), content_type="application/json")
