# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .answers import RadiographAnswers as RadiographAnswers
from .destination import ApplicationDestination as ApplicationDestination
from .destination import DeferredError as DeferredError
from .destination import Destination as Destination
from .destination import FolderDestination as FolderDestination
from .destination import RefusedError as RefusedError
from .destination import UnreachableError as UnreachableError
from .dicomweb_client import DicomWebServer as DicomWebServer
from .dicomweb_client import RemoteInstance as RemoteInstance
from .dicomweb_client import read_secret as read_secret
from .listener import OPTIONAL_CLASSES as OPTIONAL_CLASSES
from .listener import Listener as Listener
from .server_pass import answer_instances as answer_instances
from .spool import Spool as Spool
from .spool import SpoolFullError as SpoolFullError
from .spool import spool_name as spool_name
from .worker import NoAnswerError as NoAnswerError
from .worker import Worker as Worker
