// Copyright (c) the monai_gu2net authors
// SPDX-License-Identifier: Apache-2.0
// A radiograph with its points: OpenSeadragon moves and zooms it, an SVG on top of it holds the points, and a filter of
// the browser does the window.

/* global OpenSeadragon */

import { areOf, element, inside, makeMark, setAttributes, setStates, windowByMouse } from "./marks.js";

const CLOSE_UP = 4; // screen pixels per image pixel from which pixels are seen

export class PlaneView {
  about = null;
  #points = [];
  #chosen = null;
  #marks = new Map();
  #drag = null;

  /** actions: choose(index), move(index, at), place(at), hover(at or null), windowed(window). */
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
    container.addEventListener("pointermove", (event) => this.actions.hover(this.#pixelOf(event)));
    container.addEventListener("pointerleave", () => this.actions.hover(null));
    windowByMouse(container, this);
  }

  get isOpen() {
    return this.about !== null;
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
        this.about = about;
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
    this.about = null;
    this.viewer.close();
    this.show([], null);
  }

  /** Draw these points; chosen is the index of the selected one or null. */
  show(points, chosen) {
    if (!areOf(this.#marks, points)) this.#make(points);
    this.#points = points;
    this.#chosen = chosen;
    this.#draw();
  }

  setCircles(isShown) {
    this.svg.classList.toggle("no-circles", !isShown);
  }

  setWindow([black, white]) {
    const [lowest, highest] = this.about.range;
    this.window = [black, white];
    const linear = { slope: (highest - lowest) / (white - black), intercept: (lowest - black) / (white - black) };
    for (const part of document.querySelectorAll("#window feComponentTransfer > *")) setAttributes(part, linear);
    this.actions.windowed(this.window);
  }

  zoom(factor) {
    const index = this.#points.findIndex((point) => point.index === this.#chosen && point.at !== null);
    const center = index < 0 ? undefined : this.#viewportOf(this.#points[index].at);
    this.viewer.viewport.zoomBy(factor, center);
    this.viewer.viewport.applyConstraints();
  }

  fit() {
    this.viewer.viewport.goHome(true);
  }

  /** Move the image so that a point is in sight. */
  bringIntoSight(point) {
    if (!this.isOpen || point.at === null) return;
    const place = this.#viewportOf(point.at);
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

  #viewportOf([x, y]) {
    return this.#image().imageToViewportCoordinates(x + 0.5, y + 0.5);
  }

  #screenOf(at) {
    return this.viewer.viewport.pixelFromPoint(this.#viewportOf(at), true);
  }

  #pixelOf(event) {
    if (!this.isOpen) return null;
    const box = this.viewer.canvas.getBoundingClientRect();
    return this.#pixelAt(new OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top));
  }

  #pixelAt(place) {
    const at = this.#image().viewportToImageCoordinates(this.viewer.viewport.pointFromPixel(place, true));
    return [at.x - 0.5, at.y - 0.5];
  }

  /** A place so many pixels to the right, down and, of a volume, further along, within the image. */
  stepped([x, y], right, down) {
    return inside([x + right, y + down], this.about.size);
  }

  #make(points) {
    this.svg.replaceChildren();
    this.#marks.clear();
    const radii = element("g", {}, this.svg);
    for (const point of points) this.#marks.set(point.index, makeMark(point, this.svg, radii));
  }

  #draw() {
    if (!this.isOpen || !this.#image()) return;
    const scale = this.#image().viewportToImageZoom(this.viewer.viewport.getZoom(true));
    this.viewer.drawer.setImageSmoothingEnabled(scale < CLOSE_UP);
    for (const point of this.#points) {
      const { group, radius } = this.#marks.get(point.index);
      const isDragged = this.#drag?.index === point.index;
      const isElsewhere = isDragged && this.#drag.at !== null;
      const at = isElsewhere ? this.#drag.at : point.at;
      const states = { moved: point.moved || isElsewhere, chosen: point.index === this.#chosen, dragged: isDragged };
      setStates(this.#marks.get(point.index), states);
      group.style.display = at ? "" : "none";
      radius.style.display = at && point.radius ? "" : "none";
      if (!at) continue;
      const place = this.#screenOf(at);
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
    this.#drag = { index, pointer: event.pointerId, dx: point.at[0] - x, dy: point.at[1] - y, at: null };
    this.svg.setPointerCapture(event.pointerId);
  }

  #pull(event) {
    if (this.#drag?.pointer !== event.pointerId) return;
    event.stopPropagation();
    const [x, y] = this.#pixelOf(event);
    this.#drag.at = inside([x + this.#drag.dx, y + this.#drag.dy], this.about.size);
    this.actions.hover(this.#drag.at);
    this.#draw();
  }

  #drop(event) {
    if (this.#drag?.pointer !== event.pointerId) return;
    event.stopPropagation();
    const { index, at } = this.#drag;
    this.#drag = null;
    if (at !== null && event.type === "pointerup") this.actions.move(index, at);
    this.#draw();
  }

  #click(event) {
    if (!event.quick || !this.isOpen) return;
    const at = this.#pixelAt(event.position);
    if (inside(at, this.about.size).every((value, axis) => value === at[axis])) this.actions.place(at);
  }
}
