"""Links: a whole recipe in a URL, which any server can read without a registry."""

import base64
import binascii
import zlib

from service.errors import UnreadableLink
from service.recipe.model import Recipe

MAX_LINK = 4_096
"""Most characters of a link; browsers, proxies and chat programs pass on links of this length."""

_CHANGED = "the link is not base64url of a zlib-compressed recipe: it was truncated or changed"


def link_of(recipe: Recipe) -> str | None:
    """Return the recipe as base64url without padding of its zlib-compressed canonical form.

    Returns:
        At most `MAX_LINK` characters; None if the recipe does not fit.
    """
    link = base64.urlsafe_b64encode(zlib.compress(recipe.canonical, 9)).rstrip(b"=").decode()
    return link if len(link) <= MAX_LINK else None


def text_of(link: str) -> bytes:
    """Return the recipe's text that a link carries.

    Raises:
        UnreadableLink: The link was truncated or changed, or is longer than `MAX_LINK`.
    """
    if len(link) > MAX_LINK:
        raise UnreadableLink(f"a link has at most {MAX_LINK} characters, not {len(link)}")
    try:
        packed = base64.b64decode(link + "=" * (-len(link) % 4), altchars=b"-_", validate=True)
        stream = zlib.decompressobj()
        text = stream.decompress(packed)  # expands at most a thousandfold
    except (binascii.Error, ValueError, zlib.error):
        raise UnreadableLink(_CHANGED) from None
    if not stream.eof or stream.unused_data:
        raise UnreadableLink(_CHANGED)
    return text
