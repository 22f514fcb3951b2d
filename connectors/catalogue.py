"""All connectors of this installation: the one line that a new system adds."""

from typing import Final

from connectors import crm_cmt, fixmystreet
from connectors.kit.manifest import Connector

CATALOGUE: Final[tuple[Connector, ...]] = (fixmystreet.CONNECTOR, crm_cmt.CONNECTOR)
