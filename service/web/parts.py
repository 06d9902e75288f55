"""The parts of a form, taken apart as they arrive: one recipe and one donor, in any order."""

from http import HTTPStatus

from fastapi import HTTPException
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import RecipeTooLarge
from service.settings import Settings

MEDIA_TYPE = "multipart/form-data"

_PARTS = ("recipe", "donor")
_SEND = "send a form as curl -F recipe=@recipe.json -F donor=@model.safetensors does"


class Parts:
    """What has arrived of a form's two parts.

    Args:
        content_type: The request's, with the boundary between the parts.
        settings: How large they may be.

    Raises:
        HTTPException: 400 or 415: there can be no parts.
    """

    def __init__(self, content_type: str, settings: Settings) -> None:
        self.recipe = bytearray()
        self.donor = bytearray()
        """What has arrived of it since it was cleared."""
        self._settings = settings
        self._seen: list[str] = []
        self._donor_bytes = 0
        self._header, self._value, self._disposition = bytearray(), bytearray(), b""
        self._is_whole = False
        _, options = parse_options_header(content_type)
        if not options.get(b"boundary"):
            detail = f"Content-Type: {MEDIA_TYPE} needs a boundary: {_SEND}"
            raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise _no_form(error) from None

    def take(self, piece: bytes) -> None:
        """Take the next bytes of the form.

        Raises:
            HTTPException: 400, 413 or 422: this is not a form of one recipe and one donor.
            RecipeTooLarge: The recipe has more than ``max_body_bytes``.
        """
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _no_form(error) from None

    def require_all(self) -> None:
        """Check that all has arrived.

        Raises:
            HTTPException: 400 or 422: it has not.
        """
        if not self._is_whole:
            raise _no_form("it ends before its last boundary")
        if missing := [part for part in _PARTS if part not in self._seen]:
            raise _other_parts(f"no {' and no '.join(missing)} came")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("latin-1")
        if name not in _PARTS:
            raise _other_parts("a part of another name came")
        if name in self._seen:
            raise _other_parts(f"two parts called {name} came")
        self._seen.append(name)
        self._disposition = b""

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        piece = memoryview(data)[start:end]
        if self._seen[-1] == "donor":
            self._donor_bytes += len(piece)
            if self._donor_bytes > self._settings.max_donor_bytes:
                raise too_large("more", self._settings)
            self.donor += piece
        else:
            limit = self._settings.max_body_bytes
            if len(self.recipe) + len(piece) > limit:
                raise RecipeTooLarge(f"recipe: more came; the limit (max_body_bytes) is {limit}")
            self.recipe += piece

    def _on_end(self) -> None:
        self._is_whole = True


def too_large(what: str, settings: Settings) -> HTTPException:
    """Return the refusal of a donor that is too large."""
    detail = f"donor: {what} came; the limit (max_donor_bytes) is {settings.max_donor_bytes}"
    headers = {"Connection": "close"}
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, headers)


def _no_form(why: object) -> HTTPException:
    return HTTPException(HTTPStatus.BAD_REQUEST, f"the body is not {MEDIA_TYPE}, {why}: {_SEND}")


def _other_parts(what: str) -> HTTPException:
    detail = f"the form has two parts, recipe and donor, and {what}: {_SEND}"
    return HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
