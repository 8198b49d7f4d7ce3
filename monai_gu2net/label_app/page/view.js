// Copyright (c) the monai_gu2net authors
// SPDX-License-Identifier: Apache-2.0
// The image with its points: OpenSeadragon moves and zooms it, an SVG on top of it holds the points, and a filter of
// the browser does the window.

/* global OpenSeadragon */

const SVG = "http://www.w3.org/2000/svg";
const HOLD = 12; // CSS pixels around a point in which the mouse takes it
const CROSS = "M0-10V-4M0 4V10M-10 0H-4M4 0H10";
const CLOSE_UP = 4; // screen pixels per image pixel from which pixels are seen

function setAttributes(to, attributes) {
  for (const [key, value] of Object.entries(attributes)) to.setAttribute(key, value);
}

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  setAttributes(made, attributes);
  parent?.append(made);
  return made;
}

export class View {
  #about = null;
  #points = [];
  #chosen = null;
  #marks = new Map();
  #drag = null;

  /** actions: choose(index), move(index, x, y), place(x, y), hover(x, y or null), windowed(window). */
  constructor(container, actions) {
    this.actions = actions;
    this.viewer = OpenSeadragon({
      element: container,
      drawer: "canvas",
      showNavigationControl: false,
      animationTime: 0.15,
      zoomPerScroll: 1.25,
      minZoomImageRatio: 0.7,
      maxZoomPixelRatio: 24,
      visibilityRatio: 0.3,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false, flickEnabled: false },
      gestureSettingsPen: { clickToZoom: false },
    });
    this.svg = element("svg", { class: "points", role: "img", "aria-label": "Landmarks on the image" });
    this.viewer.canvas.append(this.svg);
    this.viewer.canvas.setAttribute("aria-label", "Image. Tab: next landmark. Arrow keys move it. Escape leaves.");
    this.viewer.addHandler("canvas-key", (event) => (event.preventDefaultAction = true)); // the page has its own
    this.viewer.addHandler("canvas-click", (event) => this.#click(event));
    for (const name of ["update-viewport", "resize", "open"]) this.viewer.addHandler(name, () => this.#draw());
    this.svg.addEventListener("pointerdown", (event) => this.#take(event));
    this.svg.addEventListener("pointermove", (event) => this.#pull(event));
    this.svg.addEventListener("pointerup", (event) => this.#drop(event));
    this.svg.addEventListener("pointercancel", (event) => this.#drop(event));
    container.addEventListener("pointermove", (event) => this.actions.hover(...this.#pixelOf(event)));
    container.addEventListener("pointerleave", () => this.actions.hover(null, null));
    this.#windowByMouse(container);
  }

  get isOpen() {
    return this.#about !== null;
  }

  /** Show an image: resolves when it is drawn. about: as the server describes it. */
  open(url, about) {
    this.close();
    return new Promise((resolve, reject) => {
      const forget = () => {
        this.viewer.removeHandler("open", opened);
        this.viewer.removeHandler("open-failed", failed);
      };
      const failed = () => {
        forget();
        reject(new Error("The image must be readable by the browser; it is not. See the server's log."));
      };
      const opened = () => {
        forget();
        this.#about = about;
        this.viewer.drawer.canvas.style.filter = "url(#window)";
        this.setWindow(about.window);
        this.fit();
        resolve();
      };
      this.viewer.addHandler("open", opened);
      this.viewer.addHandler("open-failed", failed);
      this.viewer.open({ type: "image", url });
    });
  }

  close() {
    this.#about = null;
    this.viewer.close();
    this.show([], null);
  }

  /** Draw these points; chosen is the index of the selected one or null. */
  show(points, chosen) {
    if (points.length !== this.#marks.size || points.some((p) => this.#marks.get(p.index)?.name !== p.name)) {
      this.#make(points);
    }
    this.#points = points;
    this.#chosen = chosen;
    this.#draw();
  }

  setCircles(isShown) {
    this.svg.classList.toggle("no-circles", !isShown);
  }

  setWindow([black, white]) {
    const [lowest, highest] = this.#about.range;
    this.window = [black, white];
    const linear = { slope: (highest - lowest) / (white - black), intercept: (lowest - black) / (white - black) };
    for (const part of document.querySelectorAll("#window feComponentTransfer > *")) setAttributes(part, linear);
    this.actions.windowed(this.window);
  }

  zoom(factor) {
    const index = this.#points.findIndex((point) => point.index === this.#chosen && point.x !== null);
    const center = index < 0 ? undefined : this.#viewportOf(this.#points[index]);
    this.viewer.viewport.zoomBy(factor, center);
    this.viewer.viewport.applyConstraints();
  }

  fit() {
    this.viewer.viewport.goHome(true);
  }

  /** Move the image so that a point is in sight. */
  bringIntoSight(point) {
    if (!this.isOpen || point.x === null) return;
    const place = this.#viewportOf(point);
    if (!this.viewer.viewport.getBounds().containsPoint(place)) this.viewer.viewport.panTo(place);
  }

  focus() {
    this.viewer.canvas.focus({ preventScroll: true });
  }

  get hasFocus() {
    return this.viewer.canvas.contains(document.activeElement);
  }

  // OpenSeadragon counts image pixels from the corner of the first one, landmarks from its centre.
  #image() {
    return this.viewer.world.getItemAt(0);
  }

  #viewportOf({ x, y }) {
    return this.#image().imageToViewportCoordinates(x + 0.5, y + 0.5);
  }

  #screenOf({ x, y }) {
    return this.viewer.viewport.pixelFromPoint(this.#viewportOf({ x, y }), true);
  }

  #pixelOf(event) {
    if (!this.isOpen) return [null, null];
    const box = this.viewer.canvas.getBoundingClientRect();
    return this.#pixelAt(new OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top));
  }

  #pixelAt(place) {
    const at = this.#image().viewportToImageCoordinates(this.viewer.viewport.pointFromPixel(place, true));
    return [at.x - 0.5, at.y - 0.5];
  }

  /** The place in the image that is nearest to x, y. */
  inside(x, y) {
    const { width, height } = this.#about;
    return [Math.min(Math.max(x, -0.5), width - 0.5), Math.min(Math.max(y, -0.5), height - 0.5)];
  }

  #make(points) {
    this.svg.replaceChildren();
    this.#marks.clear();
    const radii = element("g", {}, this.svg);
    for (const { index, name } of points) {
      const radius = element("circle", { class: "radius" }, radii);
      const group = element("g", { class: "point", "data-index": index }, this.svg);
      element("circle", { class: "hold", r: HOLD }, group);
      element("path", { class: "halo", d: CROSS }, group);
      element("circle", { class: "halo", r: 4 }, group);
      element("path", { class: "mark", d: CROSS }, group);
      element("circle", { class: "mark", r: 4 }, group);
      element("text", { class: "number", x: 9, y: -7 }, group).textContent = index + 1;
      element("text", { class: "name", x: 12, y: -9 }, group).textContent = name;
      this.#marks.set(index, { name, group, radius });
    }
  }

  #draw() {
    if (!this.isOpen || !this.#image()) return;
    const scale = this.#image().viewportToImageZoom(this.viewer.viewport.getZoom(true));
    this.viewer.drawer.setImageSmoothingEnabled(scale < CLOSE_UP);
    for (const point of this.#points) {
      const { group, radius } = this.#marks.get(point.index);
      const isDragged = this.#drag?.index === point.index;
      const { x, y } = isDragged && this.#drag.x !== undefined ? this.#drag : point;
      const isThere = x !== null;
      const isMoved = point.moved || (isDragged && this.#drag.x !== undefined);
      const state = { moved: isMoved, chosen: point.index === this.#chosen, dragged: isDragged };
      for (const [name, value] of Object.entries(state)) {
        group.classList.toggle(name, value);
        radius.classList.toggle(name, value);
      }
      group.style.display = isThere ? "" : "none";
      radius.style.display = isThere && point.radius ? "" : "none";
      if (!isThere) continue;
      const place = this.#screenOf({ x, y });
      group.setAttribute("transform", `translate(${place.x} ${place.y})`);
      if (point.radius) setAttributes(radius, { cx: place.x, cy: place.y, r: point.radius.px * scale });
    }
    const chosen = this.#marks.get(this.#chosen)?.group;
    if (chosen && this.svg.lastChild !== chosen && !this.#drag) this.svg.append(chosen); // on top of the others
  }

  #take(event) {
    const group = event.target.closest(".point");
    if (!group || event.button !== 0 || !this.isOpen) return;
    event.stopPropagation(); // the image stays where it is
    event.preventDefault();
    this.focus();
    const index = Number(group.dataset.index);
    this.actions.choose(index);
    const point = this.#points.find((one) => one.index === index);
    const [x, y] = this.#pixelOf(event);
    // held where it was taken, the point does not jump to the mouse
    this.#drag = { index, pointer: event.pointerId, dx: point.x - x, dy: point.y - y, x: undefined, y: undefined };
    this.svg.setPointerCapture(event.pointerId);
  }

  #pull(event) {
    if (this.#drag?.pointer !== event.pointerId) return;
    event.stopPropagation();
    const [x, y] = this.#pixelOf(event);
    [this.#drag.x, this.#drag.y] = this.inside(x + this.#drag.dx, y + this.#drag.dy);
    this.actions.hover(this.#drag.x, this.#drag.y);
    this.#draw();
  }

  #drop(event) {
    if (this.#drag?.pointer !== event.pointerId) return;
    event.stopPropagation();
    const { index, x, y } = this.#drag;
    this.#drag = null;
    if (x !== undefined && event.type === "pointerup") this.actions.move(index, x, y);
    this.#draw();
  }

  #click(event) {
    if (!event.quick || !this.isOpen) return;
    const [x, y] = this.#pixelAt(event.position);
    const [insideX, insideY] = this.inside(x, y);
    if (x === insideX && y === insideY) this.actions.place(x, y);
  }

  #windowByMouse(container) {
    let held = null;
    container.addEventListener("contextmenu", (event) => event.preventDefault());
    container.addEventListener(
      "pointerdown",
      (event) => {
        if (event.button !== 2 || !this.isOpen) return;
        event.stopPropagation();
        container.setPointerCapture(event.pointerId);
        held = { pointer: event.pointerId, x: event.clientX, y: event.clientY, window: this.window };
      },
      { capture: true },
    );
    container.addEventListener("pointermove", (event) => {
      if (held?.pointer !== event.pointerId || !this.isOpen) return;
      const [lowest, highest] = this.#about.range;
      const perPixel = (highest - lowest) / 512;
      const [black, white] = held.window;
      const level = (black + white) / 2 - (event.clientY - held.y) * perPixel;
      const width = Math.max(white - black + (event.clientX - held.x) * perPixel, perPixel);
      this.setWindow([level - width / 2, level + width / 2]);
    });
    for (const name of ["pointerup", "pointercancel"]) container.addEventListener(name, () => (held = null));
  }
}
