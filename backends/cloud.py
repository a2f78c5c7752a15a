"""Owns what all cloud backends share: bare pixels as JPEG, one HTTP client, and what a failed request means.

Failures are told apart by HTTP status and the machine-readable codes in the body, never by the text for people. That text
goes into records and messages, without anything that looks like a key.
"""

from __future__ import annotations

import json
import os
import re
import threading
import zlib
from abc import abstractmethod
from base64 import b64encode
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from backends.base import PLAIN, Caption, CaptionBackend, for_model
from backends.replies import retry_after, texts, values
from errors import (
    OUT_OF_FILES,
    APIError,
    NoRoomError,
    NotReadyError,
    RateLimitError,
    StopRunError,
    TransientAPIError,
    chain,
    out_of_files,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import httpx2
    from PIL.Image import Image

    from config import Settings

OUTPUT_TOKENS = 300
"""Most tokens of an answer: ten sentences. What is cut off there is not a caption."""
TAGS_TOKENS = 200
"""Those of twelve tags in any language, and of what stands around them."""
THINKING_TOKENS = 2000
"""The same for models whose thinking, which counts as output, cannot be switched off."""
CONNECT_SECONDS, READ_SECONDS, OWN_SERVER_READ_SECONDS = 10.0, 120.0, 600.0
TIER_READ_SECONDS = 900.0
"""How long a cheap tier may take, as both providers that have one advise."""

_BAD_KEY = {"invalid_api_key", "authentication_error", "API_KEY_INVALID"}
_SPENT = {
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "project_spend_limit_exceeded",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
}
_NOT_SERVED = "FAILED_PRECONDITION"
"""Gemini's code both for billing that is off and for a country that it does not serve."""
_SNAPSHOT = re.compile(r"[-@](?:v\d|\d{3}|latest|preview|exp\b)")
"""What begins the name of a dated or numbered version of a model."""
_CODE_FIELDS = ("code", "type", "status", "reason", "error_code", "quotaId")
_TOO_FAST = re.compile(r"rate_?limit|per_?(?:minute|second)|requests|tokens", re.IGNORECASE)
"""In the code of a 429: the account's own limits. Without it, a cheap tier's 429 says that the server is full."""
_THE_TIER = re.compile(r"service_?tier|\bflex\b", re.IGNORECASE)
_FILTERED = {"content_policy_violation", "content_filter", "refusal"}
_KEYS = re.compile(r"\S{0,99}(?:\*{2,}|…|\.{3})\S{0,99}|\b(?:sk|xai|AIza)[-\w]{8,}")


class Question(NamedTuple):
    """What is asked: a system line, the text, and what it is about, if it is about a picture."""

    system: str
    text: str
    jpeg: bytes | None = None


class CloudBackend(CaptionBackend):
    """A backend that sends pixels to a server.

    A subclass says where (`url`), which setting holds the key (`key`), how to make the SDK's client and how to ask.
    """

    max_workers = 8
    url: ClassVar[str]
    key: ClassVar[str]
    request_path: ClassVar[str]
    """What the SDK adds to the base URL, up to the model's name."""
    families: ClassVar[tuple[str, ...]]
    """How names of the provider's own models begin."""
    variables: ClassVar[tuple[str, ...]]
    """How the environment variables begin that its SDK reads."""

    def __init__(
        self,
        model: str,
        settings: Settings,
        prompt: str,
        *,
        base_url: str | None = None,
        tier: str | None = None,
        tags: bool = False,
    ) -> None:
        super().__init__(model, settings, prompt, tags=tags)
        self.tier = tier
        key = getattr(settings, self.key).get_secret_value().strip()
        if not key and not base_url:
            raise StopRunError(f"{self.key} is not set: add the line {self.key}=... to config.env.")
        # The SDKs read dozens of variables: base URLs, proxies to other clouds, logs that hold every request.
        for name in [name for name in os.environ if name.startswith(self.variables)]:
            del os.environ[name]
        import httpx2

        self.own_server = base_url is not None
        self.base_url = (base_url or self.url).rstrip("/")
        self.host = urlsplit(self.base_url).netloc.rpartition("@")[2]
        self.max_output_tokens = OUTPUT_TOKENS + (TAGS_TOKENS if tags else 0)
        self.read_seconds = OWN_SERVER_READ_SECONDS if base_url else READ_SECONDS
        if tier:
            self.read_seconds = self.grace = TIER_READ_SECONDS
        self._key = key
        self._forbidden: int | None = None  # answers of 403 in a row; None before the first good answer
        self._http = httpx2.Client(
            timeout=httpx2.Timeout(self.read_seconds, connect=CONNECT_SECONDS, pool=None),
            transport=_transport_per_thread(self.base_url),
            event_hooks={"response": [_check_text]},
        )
        self._connect(key or "none")  # an SDK wants some key even for a server that wants none

    def caption(self, image: Image, **sampling: Any) -> Caption:
        return self._answered(Question(self.instruction, self.prompt, encode(image)), **sampling)

    def answer(self, text: str) -> Caption:
        return self._answered(Question(PLAIN, text))

    def _answered(self, question: Question, **sampling: Any) -> Caption:
        try:
            caption = self._request(question, **sampling)
        except (APIError, StopRunError):
            raise
        except Exception as error:
            meaning = self._translate_error(error)
            if meaning is None:
                raise
            if isinstance(meaning, Caption):
                return meaning
            raise meaning from error
        self._forbidden = 0
        return caption

    @cached_property
    def end_date(self) -> date | None:
        return None if self.own_server else for_model(self.ends, self.model)

    def _other(self, answered: object) -> str | None:
        """Return the name of the model that answered, if it is another than the one asked for.

        A version of the same model is the same, and a name that means "the newest" may mean any. Servers behind
        --base-url name their models freely, so there only two names of the provider's own models are compared.
        """
        asked = self.model.rpartition("/")[2].partition(":")[0].lower()
        name = answered.rpartition("/")[2].partition(":")[0].lower() if isinstance(answered, str) else ""
        if not name or "latest" in asked:
            return None
        if self.own_server and not (asked.startswith(self.families) and name.startswith(self.families)):
            return None
        short, long = sorted((asked, name), key=len)
        if short == long or (long.startswith(short) and _SNAPSHOT.match(long[len(short) :])):
            return None
        return self._clean(str(answered))

    @abstractmethod
    def _connect(self, key: str) -> None:
        """Import the SDK and make its client, with its retries off and with `self._http`."""

    @abstractmethod
    def _request(self, question: Question, **sampling: Any) -> Caption:
        """Send one request; the SDK's errors are let through."""

    def _translate_error(self, error: Exception) -> Exception | Caption | None:
        """Translate an SDK's error into ours, or into an empty caption if a content filter blocked the picture.

        None if it is not the error of a request.
        """
        import httpx2

        response = getattr(error, "response", None)
        if isinstance(response, httpx2.Response) and response.status_code >= 300:
            return self._translate_response(response)
        if out_of_files(error):
            return StopRunError(OUT_OF_FILES)
        cause = error if isinstance(error, httpx2.TransportError) else error.__cause__
        if isinstance(cause, httpx2.TransportError):
            return self._translate_network_error(cause)
        unreadable = (json.JSONDecodeError, UnicodeDecodeError, httpx2.DecodingError, zlib.error)
        if any(isinstance(one, unreadable) for one in chain(error)) or isinstance(response, httpx2.Response):
            return TransientAPIError("the server's answer is not the JSON it should be", billed=True)
        return None

    def _translate_response(self, response: httpx2.Response) -> Exception | Caption:
        if response.status_code < 400:
            return self._redirected(response)
        try:
            body = response.json()
        except ValueError:
            body = response.text
        filtered = _FILTERED.intersection(values(body, _CODE_FIELDS))
        if filtered or "SAFETY_CHECK_TYPE_" in response.text[:5000]:  # xAI's codes stand in its text
            return Caption("", "content_filter")
        return self._error_for_status(response.status_code, body, response.headers)

    def _translate_network_error(self, error: httpx2.TransportError) -> Exception:
        import httpx2

        if isinstance(error, httpx2.LocalProtocolError):
            return StopRunError(
                f"No request to {self.host} can be made: check that {self.key} in config.env is one line of plain "
                "letters, and run the same command again."
            )
        silent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
        unsent = silent or isinstance(
            error, httpx2.PoolTimeout | httpx2.ProxyError | httpx2.UnsupportedProtocol
        )
        reason = self._clean(str(error))
        if self.tier and isinstance(error, httpx2.ReadTimeout):  # more attempts could be paid for each
            return NoRoomError(f"no answer within {self.read_seconds / 60:.0f} minutes", billed=True)
        return TransientAPIError(
            f"{type(error).__name__}: {reason}".rstrip(": "),
            exhausted=StopRunError(
                f"Nothing answers at {self.host} ({reason}): "
                f"check {'that the server runs, and --base-url' if self.own_server else 'the network'}, "
                "and run the same command again."
            )
            if silent
            else None,
            billed=not unsent,
        )

    def _redirected(self, response: httpx2.Response) -> StopRunError:
        """Return the error that names the address to use. Pixels go only where the user sends them."""
        location = response.headers.get("location")
        target = urlsplit(urljoin(str(response.request.url), location or ""))
        address = f"{target.scheme}://{target.netloc.rpartition('@')[2]}{target.path}"
        base, found, _ = address.partition(self.request_path)
        what = f"{self.host} sends requests on to another address (HTTP {response.status_code})"
        if self.own_server and location and found and base != self.base_url:
            return StopRunError(
                f"{what}: if you trust it, run the same command again with --base-url {self._clean(base)}"
            )
        where = self._clean(address) if location else "which it does not name"
        return StopRunError(
            f"{what}, {where}: check {'--base-url' if self.own_server else 'the network'}, and run the same command again."
        )

    def _error_for_status(self, status: int, body: object, headers: Mapping[str, str]) -> Exception:
        """Return what an answer that is an error means: for the photo, for all, or for the run."""
        codes = set(values(body, _CODE_FIELDS))
        reason = f"HTTP {status}: {self._clean(next(iter(texts(body)), ''))}".rstrip(": ")
        if sentence := self._reason_to_stop(status, codes, reason):
            return StopRunError(sentence)
        if self.tier and status in {400, 422} and _THE_TIER.search(str(body)[:5000]):
            return StopRunError(
                f"{self.host} has no {self.model} at --tier {self.tier} ({reason}): choose another --model, or leave out --tier "
                "to pay the full price."
            )
        asked = retry_after(headers, body)
        if self.tier and status in {429, 503} and not any(map(_TOO_FAST.search, codes)):
            return NoRoomError(reason, retry_after=asked)
        if status == 429:
            return RateLimitError(reason, retry_after=asked)
        if status in {408, 409} or status >= 500:
            # Before the first good answer a proxy's word for a server that is still loading counts as well.
            loading = status == 503 or (status in {502, 504} and self._forbidden is None)
            kind = NotReadyError if loading else TransientAPIError
            return kind(reason, retry_after=asked, billed=status >= 500)
        return APIError(reason)

    def _reason_to_stop(self, status: int, codes: set[str], reason: str) -> str | None:
        """Return the sentence for an error that all photos would meet; None if it is about this request only."""
        again = "and run the same command again."
        if status == 401 or codes & _BAD_KEY:
            return f"{self.host} refuses the key (HTTP {status}): check {self.key} in config.env or the environment, {again}"
        if status == 402 or codes & _SPENT:
            return f"The account at {self.host} has no credit or quota left ({reason}): top it up, {again}"
        if status == 403 and self._forbidden is not None and self._forbidden < 2:
            self._forbidden += 1  # one photo may be forbidden; three in a row are the account's trouble
            return None
        if status == 403 or _NOT_SERVED in codes:
            return (
                f"{self.host} does not allow it ({reason}): check the rights of the key, the account's billing and the country "
                f"it is used from, {again}"
            )
        if status == 404:
            what = "--model and --base-url" if self.own_server else "--model"
            return f"{self.host} has no {self.model} ({reason}): check {what}, {again}"
        if status == 429 and any("PerDay" in code for code in codes):
            return (
                f"The day's quota at {self.host} is used up ({reason}): run the same command again tomorrow."
            )
        return None

    def _no_answer(self, answer: object) -> Exception:
        """Return the error for a 200 without an answer; some gateways wrap an error in one."""
        error = getattr(answer, "error", None)
        status = error.get("code") if isinstance(error, dict) else None
        if isinstance(status, int) and 400 <= status < 600:
            return self._error_for_status(status, {"error": error}, {})
        text = next(texts({"error": error} if error else str(answer)), "")
        return APIError(f"HTTP 200 without an answer: {self._clean(text)}", billed=True)

    def _clean(self, text: str) -> str:
        """Return a server's text made fit for records: short, on one line, without keys."""
        if self._key:
            text = text.replace(self._key, "***")
        # A server may send all of the request back.
        return " ".join(_KEYS.sub("***", text[:2000]).split())[:300]


def _transport_per_thread(base_url: str) -> httpx2.BaseTransport:
    """Return a transport that keeps a connection for each thread.

    In one pool for hundreds of threads every request looks at every connection, and that takes most of a core.
    """
    import httpx2

    url = urlsplit(base_url)
    host = url.hostname or ""
    # A client that is given a transport does not look for proxies itself. Requests to this machine use none.
    at_home = host in {"localhost", "::1"} or host.startswith("127.") or proxy_bypass(host)
    proxy = None if at_home else getproxies().get(url.scheme)
    certificates = httpx2.create_ssl_context()
    thread = threading.local()
    opened: list[httpx2.HTTPTransport] = []

    class PerThread(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            if not hasattr(thread, "transport"):
                thread.transport = httpx2.HTTPTransport(verify=certificates, proxy=proxy)
                opened.append(thread.transport)
            # google-genai has one number for all timeouts.
            request.extensions["timeout"] = {
                **request.extensions.get("timeout", {}),
                "connect": CONNECT_SECONDS,
            }
            transport: httpx2.HTTPTransport = thread.transport
            return transport.handle_request(request)

        def close(self) -> None:
            for transport in opened:
                transport.close()

    return PerThread()


def encode(image: Image) -> bytes:
    """Return the pixels as JPEG and nothing else: no EXIF, XMP, GPS, profile, thumbnail, comment or name."""
    bare = image.copy() if image.info else image
    bare.info = {}
    buffer = BytesIO()
    bare.convert("RGB").save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def joined(content: object) -> str:
    """Return the text of an answer's content, which may be a text or a list of parts; thoughts are left out."""
    if isinstance(content, list):
        return " ".join(filter(None, map(joined, content)))
    if isinstance(content, str):
        return content
    part: dict[str, object] = content if isinstance(content, dict) else getattr(content, "__dict__", {})
    text: object = part.get("text") if "text" in str(part.get("type", "text")) else None
    return text if isinstance(text, str) else ""


def tier_name(said: object) -> str | None:
    """Return the service tier that a server says it has answered at, in one spelling; None if it does not say."""
    name = said.strip().lower() if isinstance(said, str) else ""
    return "standard" if name in {"default", "auto", "unspecified"} else name or None


def base64(jpeg: bytes) -> str:
    """Return the JPEG in the alphabet that JSON bodies carry pictures in."""
    return b64encode(jpeg).decode("ascii")


def _check_text(response: httpx2.Response) -> None:
    """Raise for a good answer that is not UTF-8: some SDKs would put other letters in place of what is damaged."""
    if response.status_code == 200:
        response.read().decode()
