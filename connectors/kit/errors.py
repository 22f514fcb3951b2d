"""The four errors a connector may raise; each says what to do next with the same input."""

from datetime import timedelta


class ConnectorError(Exception):
    """Something went wrong with an outside system. The message never holds personal data or a body.

    ``code`` is a short stable word for metrics and for grouping (``http_503``, ``invalid_field``).
    """

    def __init__(self, reason: str, *, code: str = "unspecified") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class TemporaryError(ConnectorError):
    """Nothing happened there; try the same thing again later, not before ``retry_after`` where the system named one."""

    def __init__(self, reason: str, *, code: str = "unspecified", retry_after: timedelta | None = None) -> None:
        super().__init__(reason, code=code)
        self.retry_after = retry_after


class UnconfirmedError(ConnectorError):
    """It was sent and no usable answer came: look (find) before trying again."""


class RejectedError(ConnectorError):
    """This data will never be accepted as it is: park it and show the reason to a human."""


class MisconfiguredError(ConnectorError):
    """Our settings or rights are wrong: pause the sink or source, park nothing, call a human."""
