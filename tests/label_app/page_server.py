# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""MONAI Label with the annotation page, and with an app whose only model says what a file says.

    python page_server.py STUDIES APP --host 127.0.0.1 --port 8000

``APP/replies.json`` holds the model's replies by image; a label with a name that no reply has is refused.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

_MAIN = """
import json
from pathlib import Path

from fastapi import HTTPException
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType
from monailabel.interfaces.tasks.strategy import Strategy

REPLIES = Path(__file__).with_name("replies.json")


class Labels(LocalDatastore):
    def save_label(self, image_id, label_filename, label_tag, label_info, label_id=None):
        known = {point["name"] for reply in json.loads(REPLIES.read_text()).values() for point in reply["landmarks"]}
        points = json.loads(Path(label_filename).read_text())["markups"][0]["controlPoints"]
        unknown = [point["label"] for point in points if point["label"] not in known]
        if unknown:
            raise HTTPException(422, f"The landmarks must be known; got {unknown} of {image_id!r}. Rename them.")
        return super().save_label(image_id, label_filename, label_tag, label_info)


class First(Strategy):
    def __init__(self):
        super().__init__("the first without a label")

    def __call__(self, request, datastore):
        images = sorted(datastore.get_unlabeled_images())
        return {"id": images[0]} if images else None


class Told(InferTask):
    def is_valid(self):
        return True

    def __call__(self, request):
        return None, json.loads(REPLIES.read_text())[Path(request["image"]).name.split(".")[0]]


class App(MONAILabelApp):
    def __init__(self, app_dir, studies, conf):
        super().__init__(app_dir, studies, conf, name="told", description="", version="1")

    def init_infers(self):
        names = [point["name"] for point in next(iter(json.loads(REPLIES.read_text()).values()))["landmarks"]]
        return {"told": Told(InferType.DETECTION, names, 2, "", {"domain": "head"})}

    def init_trainers(self):
        return {}

    def init_strategies(self):
        return {"first": First()}

    def init_scoring_methods(self):
        return {}

    def init_datastore(self):
        return Labels(self.studies, extensions=["*.png", "*.dcm", "*.nii.gz", "*.nrrd", "*.mha", "*.mrk.json"])
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("studies", type=Path)
    parser.add_argument("app", type=Path)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    (options.app / "main.py").write_text(_MAIN)
    os.environ["MONAI_LABEL_APP_DIR"] = str(options.app)
    os.environ["MONAI_LABEL_STUDIES"] = str(options.studies)

    # the settings are read on import
    import uvicorn
    from monailabel.app import app

    from monai_gu2net.label_app.annotation_page import router

    app.include_router(router)
    uvicorn.run(app, host=options.host, port=options.port, log_level="info")


if __name__ == "__main__":
    main()
