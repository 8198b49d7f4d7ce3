// Copyright (c) the monai_gu2net authors
// SPDX-License-Identifier: Apache-2.0
// Labels: point lists of 3D Slicer (.mrk.json), LPS mm. The server says where a pixel lies there (label_affine); an image
// without known spacing has 1 mm per pixel in Slicer, and its labels then state no unit (label_unit "px"). Pixels count
// from the centre of the first one.

import { apply, inverse } from "./affine.js";

const SCHEMA =
  "https://raw.githubusercontent.com/slicer/slicer/master/" +
  "Modules/Loadable/Markups/Resources/Schema/markups-schema-v1.0.3.json#";
const LPS_AXES = [-1, 0, 0, 0, -1, 0, 0, 0, 1];

/** The label of points in pixels of an image; about: as the server describes it. */
export function toMarkups(points, about) {
  const controlPoints = points.map((point, index) => ({
    id: String(index + 1),
    label: point.name,
    description: point.confidence === null || point.moved ? "" : `confidence ${Number(point.confidence.toPrecision(4))}`,
    associatedNodeID: "",
    ...(point.at === null ? {} : { position: apply(about.label_affine, point.at) }),
    orientation: LPS_AXES,
    selected: true,
    locked: false,
    visibility: true,
    positionStatus: point.at === null ? "undefined" : "defined",
  }));
  const markup = {
    type: "Fiducial",
    coordinateSystem: "LPS",
    ...(about.label_unit === "mm" ? { coordinateUnits: "mm" } : {}),
    locked: false,
    labelFormat: "%N-%d",
    controlPoints,
  };
  return { "@schema": SCHEMA, markups: [markup] };
}

/** [{name, at}] in pixels of the text of a label; at is null where the point is absent. */
export function fromMarkups(text, about) {
  let content;
  try {
    content = JSON.parse(text);
  } catch {
    content = null;
  }
  const lists = Array.isArray(content?.markups) ? content.markups.filter((list) => list.type === "Fiducial") : [];
  if (!lists.length) throw new Error("The saved label must be a point list (.mrk.json); it is not.");
  const toPixels = inverse(about.label_affine);
  return lists.flatMap((list) => {
    const sign = ["RAS", "0"].includes(list.coordinateSystem) ? -1 : 1; // files call it "0", too
    const unit = [list.coordinateUnits ?? "mm"].flat()[0];
    if (unit !== "mm" && unit !== "um") throw new Error(`The unit of the saved label must be mm; got ${unit}.`);
    const scale = unit === "um" ? 1e-3 : 1;
    return (list.controlPoints ?? []).map((point) => {
      const isThere = (point.positionStatus ?? "defined") === "defined" && Array.isArray(point.position);
      if (!isThere) return { name: point.label, at: null };
      const [x, y, z] = point.position.map((value) => value * scale);
      // of an image with two axes the third is left out, wherever in space a list has it
      const place = about.size.length === 2 ? [sign * x, sign * y, 0] : [sign * x, sign * y, z];
      return { name: point.label, at: apply(toPixels, place).slice(0, about.size.length) };
    });
  });
}
