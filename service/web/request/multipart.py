"""A form of two fields, JSON and a file in any order, parsed as it arrives."""

from http import HTTPStatus
from typing import NamedTuple

from fastapi import HTTPException
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import RecipeTooLarge
from service.settings import Settings

MEDIA_TYPE = "multipart/form-data"


class Fields(NamedTuple):
    """The names of a form's two fields.

    Args:
        text: The field of the JSON.
        file: The field of the safetensors file.
    """

    text: str
    file: str

    @property
    def advice(self) -> str:
        """How to send such a form."""
        return f"send a form as curl -F {self.text}=@{self.text}.json -F {self.file}=@FILE does"


DONOR_FORM = Fields("recipe", "donor")
"""A recipe, and a donor from which its plan is grown."""

BATCH_FORM = Fields("request", "batch")
"""The request of ``POST /v1/calibrate``, and a batch."""


class FormParser:
    """What has arrived of a form's two fields.

    Args:
        fields: Their names.
        content_type: The request's, with the boundary between the fields.
        settings: How large they may be.

    Raises:
        HTTPException: 400 or 415: the Content-Type has no valid boundary.
    """

    def __init__(self, fields: Fields, content_type: str, settings: Settings) -> None:
        self.text = bytearray()
        self.file = bytearray()
        """The bytes of the file that have arrived since it was last cleared."""
        self.fields = fields
        self._settings = settings
        self._seen: list[str] = []
        self._file_bytes = 0
        self._header, self._value, self._disposition = bytearray(), bytearray(), b""
        self._is_whole = False
        _, options = parse_options_header(content_type)
        if not options.get(b"boundary"):
            detail = f"Content-Type: {MEDIA_TYPE} needs a boundary: {fields.advice}"
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
            raise self._no_form(error) from None

    def take(self, piece: bytes) -> None:
        """Take the next bytes of the form.

        Raises:
            HTTPException: 400, 413 or 422: this is not a form of those two fields.
            RecipeTooLarge: The text has more than ``max_body_bytes``.
        """
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise self._no_form(error) from None

    def require_all(self) -> None:
        """Check that both fields have arrived.

        Raises:
            HTTPException: 400 or 422: they have not.
        """
        if not self._is_whole:
            raise self._no_form("it ends before its last boundary")
        if missing := [part for part in self.fields if part not in self._seen]:
            raise self._other_parts(f"no {' and no '.join(missing)} came")

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
        if name not in self.fields:
            raise self._other_parts("a part of another name came")
        if name in self._seen:
            raise self._other_parts(f"two parts called {name} came")
        self._seen.append(name)
        self._disposition = b""

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        piece = memoryview(data)[start:end]
        if self._seen[-1] == self.fields.file:
            self._file_bytes += len(piece)
            if self._file_bytes > self._settings.max_donor_bytes:
                raise too_large(self.fields, "more", self._settings)
            self.file += piece
        else:
            limit = self._settings.max_body_bytes
            if len(self.text) + len(piece) > limit:
                raise RecipeTooLarge(
                    f"{self.fields.text}: more came; the limit (max_body_bytes) is {limit}"
                )
            self.text += piece

    def _on_end(self) -> None:
        self._is_whole = True

    def _no_form(self, why: object) -> HTTPException:
        detail = f"the body is not {MEDIA_TYPE}, {why}: {self.fields.advice}"
        return HTTPException(HTTPStatus.BAD_REQUEST, detail)

    def _other_parts(self, what: str) -> HTTPException:
        detail = f"the form has two parts, {self.fields.text} and {self.fields.file}, and {what}"
        return HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"{detail}: {self.fields.advice}")


def too_large(fields: Fields, what: str, settings: Settings) -> HTTPException:
    """Return the error for a file that is too large."""
    limit = settings.max_donor_bytes
    detail = f"{fields.file}: {what} came; the limit (max_donor_bytes) is {limit}"
    headers = {"Connection": "close"}
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, headers)
