"""Where a request comes from: the client's address behind trusted proxies, and whether a form is our own page's."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request

from models.settings import settings
from workflows.sessions import Origin

UNKNOWN = ""


def origin_of(request: Request) -> Origin:
    """Return the address and the browser of a request."""
    return Origin(client_address(request), request.headers.get("user-agent", ""))


def client_address(request: Request) -> str:
    """Return the client's address: the peer, or what a trusted proxy says about it; "" when nobody says.

    X-Forwarded-For is read from its end, and only as far as the addresses are our own proxies': what the client wrote
    there itself is never believed.
    """
    address = _parsed(request.client.host if request.client else "")
    if not _trusted(address):
        return address
    hops = [part for line in request.headers.getlist("x-forwarded-for") for part in line.split(",")]
    for hop in reversed(hops[-16:]):
        given = _parsed(hop.strip())
        if not given:
            return address
        address = given
        if not _trusted(address):
            return address
    return address


def _parsed(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return UNKNOWN


def _trusted(address: str) -> bool:
    if not address:
        return False
    return any(ip_address(address) in network for network in settings().security.trusted_proxies)


def own_origin(request: Request) -> str:
    """Return the origin under which browsers know the console."""
    return settings().security.public_url or f"{request.url.scheme}://{request.url.netloc}"


def same_origin(request: Request) -> bool:
    """Tell whether an unsafe request comes from our own pages.

    Browsers say so by Origin; those that don't, by Referer or Sec-Fetch-Site. Who says nothing at all is no browser
    showing our pages: refused. There are no API clients that would be excepted.
    """
    own = own_origin(request)
    origin = request.headers.get("origin")
    if origin is not None:
        return origin == own
    referer = request.headers.get("referer")
    if referer is not None:
        return _origin_of(referer) == own
    return request.headers.get("sec-fetch-site") == "same-origin"


def _origin_of(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"
