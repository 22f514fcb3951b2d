"""Fix My Street Brussels: reports of what is wrong in the street, pushed by webhook and read from the incidents API."""

from connectors.fixmystreet.settings import FixMyStreetSettings
from connectors.fixmystreet.source import open_source
from connectors.kit.manifest import Connector

CONNECTOR = Connector(
    name="fixmystreet", title="Fix My Street Brussels", settings=FixMyStreetSettings, open_source=open_source
)
