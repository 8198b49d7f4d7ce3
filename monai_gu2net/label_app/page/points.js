// Copyright (c) the monai_gu2net authors
// SPDX-License-Identifier: Apache-2.0
// The points of one image, and what was done to them. A point is never changed: a change makes a new list.
// {name, index, at: pixels [x, y] or [x, y, z], or null, confidence: number or null,
//  radius: {px, text, unit} or null, moved}

/** The points of a model's response. */
export function pointsOfResponse(response) {
  return response.landmarks.map((landmark, index) => {
    const at = ["x", "y", "z"].filter((axis) => axis in landmark).map((axis) => landmark[axis]);
    const isThere = at.every(Number.isFinite);
    return {
      name: landmark.name,
      index,
      at: isThere ? at : null,
      confidence: Number.isFinite(landmark.confidence) ? landmark.confidence : null,
      radius: isThere ? radiusOf(landmark) : null,
      moved: false,
    };
  });
}

/** The circle that holds a landmark in nine of ten cases: its radius in pixels of the file, and as it is told. */
function radiusOf({ radius_90: px, radius_90_mm: mm }) {
  if (!Number.isFinite(px)) return null;
  if (!Number.isFinite(mm)) return { px, text: px.toFixed(0), unit: "px" };
  return { px, text: mm.toFixed(1), unit: "mm" };
}

/** The points of a saved label; names that only the model knows are absent and come last. */
export function pointsOfLabel(saved, names) {
  const savedNames = new Set(saved.map((point) => point.name));
  const rest = names.filter((name) => !savedNames.has(name)).map((name) => ({ name, at: null }));
  return [...saved, ...rest].map((point, index) => ({
    ...point,
    index,
    confidence: null,
    radius: null,
    moved: false,
  }));
}

/** Indices in the order of a list: by number, or the least certain first and the absent last. */
export function inOrder(points, order) {
  const indices = points.map((point) => point.index);
  if (order !== "uncertainty") return indices;
  const doubt = ({ at, radius, confidence }) =>
    at === null ? -Infinity : radius !== null ? radius.px : confidence === null ? -1e9 : -confidence;
  return indices.sort((a, b) => doubt(points[b]) - doubt(points[a]) || a - b);
}

export class History {
  #steps = [[]];
  #at = 0;
  #clean = this.#steps[0];

  get points() {
    return this.#steps[this.#at];
  }

  get changed() {
    return this.points !== this.#clean;
  }

  get canUndo() {
    return this.#at > 0;
  }

  get canRedo() {
    return this.#at < this.#steps.length - 1;
  }

  /** Begin anew with points that need no saving. */
  start(points) {
    this.#steps = [points];
    this.#at = 0;
    this.#clean = points;
  }

  /** One step that can be undone. */
  take(points) {
    this.#steps = [...this.#steps.slice(0, this.#at + 1), points];
    this.#at += 1;
  }

  /** Put a point elsewhere; at null: it is absent. */
  move(index, at) {
    this.take(this.points.map((point) => (point.index === index ? { ...point, at, moved: true } : point)));
  }

  undo() {
    this.#at = Math.max(0, this.#at - 1);
  }

  redo() {
    this.#at = Math.min(this.#steps.length - 1, this.#at + 1);
  }

  saved(points) {
    this.#clean = points;
  }
}
