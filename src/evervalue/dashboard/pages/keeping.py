"""Forms that keep something beside the numbers: notes on a customer, and saved views."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from evervalue.api.access import form_of, needs, who_of
from evervalue.api.errors import NotFound
from evervalue.api.kept import notes_of, views_of
from evervalue.api.profile import profile
from evervalue.api.proxy import PREFIX
from evervalue.api.routes.notes import owner_of
from evervalue.core.errors import InputError
from evervalue.dashboard.links import customer_url, notes_url
from evervalue.dashboard.pages.signin import local_path
from evervalue.dashboard.view import reader_of, render
from evervalue.governance.roles import Right


@needs(Right.WORK)
def note(request: Request) -> Response:
    """Adds a note to a customer, or takes one away; the notes again for htmx, else back to the profile.

    Raises
    ------
    NotFound
        No customer has the key.
    """
    customer_id = str(request.path_params["customer_id"])
    form, who = form_of(request), who_of(request)
    kept, fault = notes_of(request), ""
    with reader_of(request).lease() as reading:
        if profile(reading, customer_id) is None:
            raise NotFound(f"No customer in run {reading.run_id} has the key “{customer_id[:200]}”.")
        says = str(form.get("says", ""))
        if remove := str(form.get("remove", "")):
            kept.remove(number_of(remove), customer_id, owner_of(who))
        else:
            try:
                kept.add(customer_id, says, who.name)
                says = ""
            except InputError as error:
                if request.headers.get("hx-request") != "true":
                    raise
                fault = str(error)
        if request.headers.get("hx-request") != "true":
            return RedirectResponse(customer_url(customer_id) + "#notes", status_code=303)
        return render(
            request, "profile_notes.html", reading, page="customers", notes=kept.of(customer_id),
            notes_url=notes_url(customer_id), fault=fault, says=says,
        )  # fmt: skip


def number_of(text: str) -> int:
    """The number of a note or a view as a form sends it; 0, which none has, where it is no number.

    >>> number_of("7"), number_of("9" * 30), number_of("x")
    (7, 0, 0)
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


@needs(Right.WORK)
def view(request: Request) -> Response:
    """Keeps the view that a page's form sends, or takes one away; then back to that page."""
    form, who = form_of(request), who_of(request)
    back = str(form.get("address", "/"))
    if remove := str(form.get("remove", "")):
        views_of(request).remove(number_of(remove), owner_of(who))
    else:
        address = back.removeprefix(PREFIX.get()) or "/"
        views_of(request).save(
            str(form.get("name", "")), address, who.name, is_shared=bool(form.get("is_shared"))
        )
    return RedirectResponse(local_path(back), status_code=303)


ROUTES = [
    Route("/notes/{customer_id:key}", note, methods=["POST"]),
    Route("/views", view, methods=["POST"]),
]
