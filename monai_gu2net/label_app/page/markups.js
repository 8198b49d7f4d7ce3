// Copyright (c) the monai_gu2net authors
// SPDX-License-Identifier: Apache-2.0
// Labels: point lists of 3D Slicer (.mrk.json), LPS mm. An image without known spacing has 1 mm per pixel in Slicer;
// its labels then state no unit. Pixels count from the centre of the first one.

const SCHEMA =
  "https://raw.githubusercontent.com/slicer/slicer/master/" +
  "Modules/Loadable/Markups/Resources/Schema/markups-schema-v1.0.3.json#";
const LPS_AXES = [-1, 0, 0, 0, -1, 0, 0, 0, 1];

/** The label of points in pixels; spacing is [sx, sy] in mm, or null. */
export function toMarkups(points, spacing) {
  const [sx, sy] = spacing ?? [1, 1];
  const controlPoints = points.map((point, index) => ({
    id: String(index + 1),
    label: point.name,
    description: point.confidence === null || point.moved ? "" : `confidence ${Number(point.confidence.toPrecision(4))}`,
    associatedNodeID: "",
    ...(point.x === null ? {} : { position: [point.x * sx, point.y * sy, 0] }),
    orientation: LPS_AXES,
    selected: true,
    locked: false,
    visibility: true,
    positionStatus: point.x === null ? "undefined" : "defined",
  }));
  const markup = {
    type: "Fiducial",
    coordinateSystem: "LPS",
    ...(spacing ? { coordinateUnits: "mm" } : {}),
    locked: false,
    labelFormat: "%N-%d",
    controlPoints,
  };
  return { "@schema": SCHEMA, markups: [markup] };
}

/** [{name, x, y}] in pixels of the text of a label; x and y are null where the point is absent. */
export function fromMarkups(text, spacing) {
  const [sx, sy] = spacing ?? [1, 1];
  let content;
  try {
    content = JSON.parse(text);
  } catch {
    content = null;
  }
  const lists = Array.isArray(content?.markups) ? content.markups.filter((list) => list.type === "Fiducial") : [];
  if (!lists.length) throw new Error("The saved label must be a point list (.mrk.json); it is not.");
  return lists.flatMap((list) => {
    const sign = list.coordinateSystem === "RAS" ? -1 : 1;
    const unit = [list.coordinateUnits ?? "mm"].flat()[0];
    if (unit !== "mm" && unit !== "um") throw new Error(`The unit of the saved label must be mm; got ${unit}.`);
    const scale = sign * (unit === "um" ? 1e-3 : 1);
    return (list.controlPoints ?? []).map((point) => {
      const isThere = (point.positionStatus ?? "defined") === "defined" && Array.isArray(point.position);
      const [x, y] = isThere ? point.position : [];
      return { name: point.label, x: isThere ? (x * scale) / sx : null, y: isThere ? (y * scale) / sy : null };
    });
  });
}
