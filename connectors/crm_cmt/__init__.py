"""CRM-CMT, the city's case system: the sink that cases go to."""

from connectors.crm_cmt.settings import CrmCmtSettings
from connectors.crm_cmt.sink import NAME, open_sink
from connectors.kit.manifest import Connector

CONNECTOR = Connector(name=NAME, title="CRM-CMT", settings=CrmCmtSettings, open_sink=open_sink)
