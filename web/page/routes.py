"""Defines the routes of the search page. Each state of the page has one address. A request by htmx gets only the part
of the page that changes."""

from dataclasses import replace
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.datastructures import FormMultiDict, State, UploadFile
from litestar.params import PathParameter
from litestar.plugins.htmx import HTMXTemplate
from litestar.response import Redirect

from web.api.search import count_search
from web.http.context import context_of
from web.http.problems import ApiError, problem_of
from web.images.uploads import Uploads
from web.page import errors, static_files, suggesting
from web.page import state as page_state
from web.page.brand.languages import gettext, marked
from web.page.products import product, similar, variants
from web.page.rendering import context, is_htmx, is_own_form, page_headers, show_error, wanted_by
from web.page.results import PageResult, read_page
from web.page.state import MAX_SHOWN, PAGE


@get("/", include_in_schema=False, exception_handlers={Exception: show_error})
async def page(request: Request[Any, Any, Any], state: State) -> HTMXTemplate:
    wanted = wanted_by(request)
    uploads: Uploads = state.uploads
    uploaded = uploads.get(wanted.image) if wanted.image else None
    if wanted.image and uploaded is None:
        remark = gettext("The image is not here any more. Drop it again to search with it.")
        wanted = wanted.but(image="", box=None, remarks=(*wanted.remarks, remark))
    image = await uploads.part(wanted.image, wanted.box)
    told = context_of(request.scope)
    told.query_text = wanted.q or None
    told.asked = (wanted.filter, wanted.catalog) if wanted.is_search else None
    is_more = bool(wanted.after) and is_htmx(request)
    result: PageResult = await state.pools.read(
        request,
        lambda conn: read_page(conn, wanted, image, state.page_caches, state.public_catalogs, with_filters=not is_more),
    )
    wanted = replace(wanted, catalog=result.catalog)  # so that the links of the page name this catalog
    if result.search is not None:
        count_search(state, "page", result.search, PAGE, result.seconds)
    origin = state.recorder.searched(request.scope, wanted, result) if state.recorder else ""
    # After "More results", the address has the number of shown products, at most MAX_SHOWN. So the same products appear
    # again after "back", and for another visitor who opens the address.
    template = "more.html" if is_more else "part.html" if is_htmx(request) else "page.html"
    headers = page_headers()
    if is_more and wanted.shown:
        headers["HX-Replace-Url"] = wanted.but(shown=min(wanted.shown + PAGE, MAX_SHOWN)).address()
    return HTMXTemplate(
        template_name=template,
        context=context(wanted, result, origin=origin, uploaded=uploaded),
        headers=headers,
        push_url=wanted.address() if template == "part.html" else None,
    )


def show_notice(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Show above the results the reason why the image was not accepted. The page keeps its results. A browser without
    JavaScript gets a page with the reason."""
    if not is_htmx(request):
        return show_error(request, error)
    problem, headers = problem_of(request, error)
    return HTMXTemplate(
        template_name="notice.html",
        context={"problem": problem, "message": errors.message_of(problem)},
        status_code=problem.status,
        headers=page_headers() | headers,
        re_target="#notice",
        re_swap="innerHTML",
    )


@post("/picture", include_in_schema=False, status_code=200, exception_handlers={Exception: show_notice})
async def upload(request: Request[Any, Any, Any], state: State) -> Response[Any]:
    """Keep an uploaded image. The answer puts the image's name into the search form, and starts a search by the image.
    A browser without JavaScript is sent to the search by the image, with the parameters of the form's address."""
    # Without CORS permission, pages of other origins cannot send htmx's header, so a request by htmx needs no check.
    if not is_htmx(request) and not is_own_form(request.headers):
        raise ApiError("origin", "Only this page itself can upload images.")
    if request.content_type[0] != "multipart/form-data":
        raise ApiError("media-type", "Send a form with a part named image.")
    name = await state.uploads.keep(await _image_in(await request.form(), state))
    if not is_htmx(request):
        wanted = page_state.read(request.query_params.multi_items()).but(image=name, box=None)
        return Redirect(wanted.address(), status_code=303)
    return HTMXTemplate(
        template_name="uploaded_image.html",
        context={"image": name, "box": ""},
        headers=page_headers(),
        trigger_event="uploaded",
        after="settle",
        params={},
    )


async def _image_in(form: FormMultiDict, state: State) -> bytes:
    """Returns the image of a form. The form has the file or, for an image of another site, the address of the image."""
    file, address = form.get("image"), form.get("address")
    if isinstance(address, str) and address.startswith(("http://", "https://")):
        try:
            content: bytes = await state.query_images.read(address)
        except ApiError as error:
            if error.kind != "invalid":
                raise
            detail = marked("The image of the other page cannot be fetched.")
            raise ApiError("invalid", detail, hint=marked("Save the image, and drop the file here.")) from None
        return content
    if not isinstance(file, UploadFile):
        raise ApiError("invalid", "There is no image in the form.")
    return await file.read()


@get("/picture/{name:str}", include_in_schema=False)
async def uploaded_image(state: State, name: Annotated[str, PathParameter()]) -> Response[bytes]:
    """Return the copy of an uploaded image that the service keeps."""
    image = state.uploads.get(name)
    if image is None:
        raise ApiError("not-found", "This image is not here any more.")
    headers = {"Cache-Control": "private, max-age=86400, immutable", "Content-Security-Policy": "sandbox"}
    return Response(image, media_type="image/webp", headers=headers)


ROUTES = (
    page,
    upload,
    uploaded_image,
    suggesting.suggested,
    product.product,
    similar.similar,
    variants.variants,
    static_files.static_file,
)
