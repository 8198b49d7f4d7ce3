// Copyright (c) the monai_gu2net authors
// SPDX-License-Identifier: Apache-2.0
// The marks of points: a cross in a circle with number and name, and the circle that holds the landmark, in SVG.

const SVG = "http://www.w3.org/2000/svg";
const HOLD = 12; // CSS pixels around a point in which the mouse takes it
const CROSS = "M0-10V-4M0 4V10M-10 0H-4M4 0H10";
const EDGE = 0.5 - 1e-6; // of the outermost pixels, a little within, so that a label's millimetres lie within, too

export function setAttributes(to, attributes) {
  for (const [key, value] of Object.entries(attributes)) to.setAttribute(key, value);
}

export function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  setAttributes(made, attributes);
  parent?.append(made);
  return made;
}

/** {name, group, radius}: the mark of a point, and its circle. */
export function makeMark({ index, name }, marks, radii) {
  const radius = element("circle", { class: "radius" }, radii);
  const group = element("g", { class: "point", "data-index": index }, marks);
  element("circle", { class: "hold", r: HOLD }, group);
  element("path", { class: "halo", d: CROSS }, group);
  element("circle", { class: "halo", r: 4 }, group);
  element("path", { class: "mark", d: CROSS }, group);
  element("circle", { class: "mark", r: 4 }, group);
  element("text", { class: "number", x: 9, y: -7 }, group).textContent = index + 1;
  element("text", { class: "name", x: 12, y: -9 }, group).textContent = name;
  return { name, group, radius };
}

/** Show a mark and its circle as these states are. */
export function setStates({ group, radius }, states) {
  for (const [name, value] of Object.entries(states)) {
    group.classList.toggle(name, value);
    radius.classList.toggle(name, value);
  }
}

/** Whether marks that are there are those of these points. */
export function areOf(marks, points) {
  return points.length === marks.size && points.every((point) => marks.get(point.index)?.name === point.name);
}

/** The place in an image of this size that is nearest to a place. */
export function inside(at, size) {
  return at.map((value, axis) => Math.min(Math.max(value, -EDGE), size[axis] - 1 + EDGE));
}

/** Change level and width by a drag with the right button. view: with window, about.range, isOpen and setWindow. */
export function windowByMouse(container, view) {
  let held = null;
  container.addEventListener("contextmenu", (event) => event.preventDefault());
  container.addEventListener(
    "pointerdown",
    (event) => {
      if (event.button !== 2 || !view.isOpen) return;
      event.stopPropagation();
      container.setPointerCapture(event.pointerId);
      held = { pointer: event.pointerId, x: event.clientX, y: event.clientY, window: view.window };
    },
    { capture: true },
  );
  container.addEventListener("pointermove", (event) => {
    if (held?.pointer !== event.pointerId || !view.isOpen) return;
    const [lowest, highest] = view.about.range;
    const perPixel = (highest - lowest) / 512;
    const [black, white] = held.window;
    const level = (black + white) / 2 - (event.clientY - held.y) * perPixel;
    const width = Math.max(white - black + (event.clientX - held.x) * perPixel, perPixel);
    view.setWindow([level - width / 2, level + width / 2]);
  });
  for (const name of ["pointerup", "pointercancel"]) container.addEventListener(name, () => (held = null));
}
