"""uvicorn's HTTP protocol, with what is not HTTP answered as every other error is."""

import json
import uuid
from http import HTTPStatus

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.middleware import SECURITY_HEADERS

log = structlog.stdlib.get_logger()


class HttpProtocol(HttpToolsProtocol):
    """A request that cannot be parsed never reaches the application, nor its problem documents."""

    def send_400_response(self, msg: str) -> None:
        """Answer with a problem document and close. There is no path: `instance` is the id."""
        request_id = uuid.uuid4()
        log.info(
            "request_malformed",
            request_id=request_id.hex,
            client=self.client[0] if self.client else None,
        )
        body = json.dumps(
            {
                "type": "about:blank",
                "title": HTTPStatus.BAD_REQUEST.phrase,
                "status": int(HTTPStatus.BAD_REQUEST),
                "detail": "This is not a valid HTTP request.",
                "instance": request_id.urn,
                "request_id": request_id.hex,
            }
        )
        headers = SECURITY_HEADERS | {
            "Content-Type": "application/problem+json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            "Cache-Control": "no-store",
            "X-Request-ID": request_id.hex,
        }
        lines = [f"{name}: {value}" for name, value in headers.items()]
        answer = "\r\n".join(["HTTP/1.1 400 Bad Request", *lines, "", body])
        self.transport.write(answer.encode("ascii"))
        self.transport.close()
