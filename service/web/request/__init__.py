"""Request bodies: JSON or a form, read under a limit, and the plan of the recipe in them."""

from service.web.request.body import form_body, json_body, media_type, raw_body
from service.web.request.plan import plan_body

__all__ = ["form_body", "json_body", "media_type", "plan_body", "raw_body"]
