# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Connections to where radiographs are: a DICOMweb server, and a listener that answers what it is sent."""

from __future__ import annotations

from monai_gu2net.connections.answers import RadiographAnswers
from monai_gu2net.connections.destination import (
    ApplicationDestination,
    DeferredError,
    Destination,
    FolderDestination,
    RefusedError,
    UnreachableError,
)
from monai_gu2net.connections.dicomweb_client import DicomWebServer, RemoteInstance, read_secret
from monai_gu2net.connections.listener import OPTIONAL_CLASSES, Listener
from monai_gu2net.connections.server_pass import answer_instances
from monai_gu2net.connections.spool import Spool, SpoolFullError, spool_name
from monai_gu2net.connections.worker import NoAnswerError, Worker

__all__ = [
    "OPTIONAL_CLASSES",
    "ApplicationDestination",
    "DeferredError",
    "Destination",
    "DicomWebServer",
    "FolderDestination",
    "Listener",
    "NoAnswerError",
    "RadiographAnswers",
    "RefusedError",
    "RemoteInstance",
    "Spool",
    "SpoolFullError",
    "UnreachableError",
    "Worker",
    "answer_instances",
    "read_secret",
    "spool_name",
]
