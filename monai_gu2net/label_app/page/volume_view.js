// Copyright (c) the monai_gu2net authors
// SPDX-License-Identifier: Apache-2.0
// A volume in three views that are linked: NiiVue draws the slices, and an SVG on top of it holds points and crosshair
// and takes the mouse. NiiVue counts a place in fractions of the volume along its axes in the order R, A, S ("frac"), and
// draws along these axes also where they lie obliquely in the patient. Millimetres are RAS.

/* global niivue */

import { apply, inverse } from "./affine.js";
import { areOf, element, inside, makeMark, setAttributes, setStates, windowByMouse } from "./marks.js";

const LIBRARY = "niivue/niivue.umd.js";
// by NiiVue's number of a slice's kind; axes of frac to the right or left, up, and through
const VIEWS = [
  { name: "axial", across: 0, up: 1, through: 2 },
  { name: "coronal", across: 0, up: 2, through: 1 },
  { name: "sagittal", across: 1, up: 2, through: 0 },
];
const NEAR = 3; // slices from which on a point is not drawn, unless it is the chosen one
const QUICK = 3; // CSS pixels that the mouse may move in a click
const OPTIONS = {
  interactive: false, // the page has its own mouse and keys
  dragAndDropEnabled: false,
  loadingText: "",
  crosshairWidth: 0,
  isNearestInterpolation: true,
  isRadiologicalConvention: true, // as 3D Slicer shows it: the patient's right is on the left, and the face
  sagittalNoseLeft: true,
  multiplanarPadPixels: 4,
  tileMargin: -1,
  logLevel: "error",
};

let loading = null;

/** Load the library when the first volume is opened. */
function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = LIBRARY;
    script.addEventListener("load", () => resolve(niivue));
    script.addEventListener("error", () => {
      loading = null;
      reject(new Error("The server must send niivue.umd.js; it does not. See whether it runs, then try again."));
    });
    document.head.append(script);
  });
  return loading;
}

/** The longest axis that a volume may have to be drawn; 0 where none can be. */
function longestAxis() {
  const gl = document.createElement("canvas").getContext("webgl2");
  const longest = gl?.getParameter(gl.MAX_3D_TEXTURE_SIZE) ?? 0;
  gl?.getExtension("WEBGL_lose_context")?.loseContext(); // a page may have few of them
  return longest;
}

/** Refuse a volume that this browser cannot draw. */
function checkDrawable(size) {
  const longest = longestAxis();
  if (longest === 0) {
    throw new Error(
      "Volumes are drawn with WebGL 2, which this browser does not have or has turned off. Use another browser, or " +
        "label volumes in 3D Slicer with the module GU2NetLandmarks.",
    );
  }
  if (Math.max(...size) > longest) {
    throw new Error(
      `A volume must have at most ${longest} voxels along an axis to be drawn by this browser; got ` +
        `${size.join(" x ")}. Label it in 3D Slicer with the module GU2NetLandmarks.`,
    );
  }
}

export class VolumeView {
  about = null;
  #nv = null;
  #canvas = null;
  #toIndex = null;
  #mmPerVoxel = 1;
  #steps = null;
  #zoomed = 1;
  #active = 0;
  #points = [];
  #chosen = null;
  #marks = VIEWS.map(() => new Map());
  #layers = [];
  #drag = null;

  /** actions: choose(index), move(index, at), place(at), hover(at or null), windowed(window). */
  constructor(container, actions) {
    this.actions = actions;
    this.container = container;
    container.tabIndex = 0;
    container.setAttribute("aria-label", "Volume. Tab: next landmark. Arrow keys move it. Escape leaves.");
    this.svg = element("svg", { class: "points", role: "img", "aria-label": "Landmarks in three views" });
    container.append(this.svg);
    this.#layers = VIEWS.map((view) => this.#layerOf(view));
    this.svg.addEventListener("pointerdown", (event) => this.#take(event));
    this.svg.addEventListener("pointermove", (event) => this.#pull(event));
    this.svg.addEventListener("pointerup", (event) => this.#drop(event));
    this.svg.addEventListener("pointercancel", (event) => this.#drop(event));
    this.svg.addEventListener("pointerleave", () => this.actions.hover(null));
    this.svg.addEventListener("wheel", (event) => this.#scroll(event), { passive: false });
    new ResizeObserver(() => requestAnimationFrame(() => this.#render())).observe(container);
    windowByMouse(container, this);
  }

  get isOpen() {
    return this.about !== null;
  }

  /** Show a volume: resolves when it is drawn. content: NIfTI; about: as the server describes it. */
  async open(content, about) {
    this.close();
    checkDrawable(about.size);
    const { Niivue } = await library();
    if (this.#nv === null) {
      this.#canvas = document.createElement("canvas");
      this.container.prepend(this.#canvas);
      this.#nv = new Niivue(OPTIONS);
      await this.#nv.attachToCanvas(this.#canvas);
      this.#nv.setSliceType(this.#nv.sliceTypeMultiplanar);
      this.#nv.opts.multiplanarShowRender = 0; // never: three slices are enough
    }
    await this.#nv.loadFromArrayBuffer(content, "volume.nii");
    this.about = about;
    this.#toIndex = inverse(about.affine);
    const sides = [0, 1, 2].map((axis) => Math.hypot(...about.affine.slice(0, 3).map((row) => row[axis])));
    this.#mmPerVoxel = Math.cbrt(sides[0] * sides[1] * sides[2]); // as the server counts radii in voxels
    const [first, ...others] = [[0.5, 0.5, 0.5], ...VIEWS.map((_, axis) => this.#stepOf(axis))];
    this.#nv.scene.crosshairPos = first;
    const middle = this.#indexOf(first);
    // along an axis of the views lies one of the file's, whole voxels apart
    this.#steps = others.map((frac) => this.#indexOf(frac).map((value, axis) => Math.round(value - middle[axis])));
    this.setWindow(about.window);
    this.fit();
  }

  close() {
    this.about = null;
    this.show([], null);
    while (this.#nv?.volumes.length) this.#nv.removeVolumeByIndex(0);
  }

  /** Draw these points; chosen is the index of the selected one or null. */
  show(points, chosen) {
    if (!areOf(this.#marks[0], points)) this.#make(points);
    this.#points = points;
    this.#chosen = chosen;
    this.#draw();
  }

  setCircles(isShown) {
    this.svg.classList.toggle("no-circles", !isShown);
  }

  setWindow([black, white]) {
    this.window = [black, white];
    Object.assign(this.#nv.volumes[0], { cal_min: black, cal_max: white });
    this.#nv.updateGLVolume();
    this.actions.windowed(this.window);
  }

  /** Zoom about the chosen point, or where the lines cross. */
  zoom(factor) {
    this.#zoomed = Math.min(Math.max(this.#zoomed * factor, 1), 40);
    const point = this.#points.find((one) => one.index === this.#chosen && one.at !== null);
    this.#center(point ? this.#fracOf(point.at) : this.#nv.scene.crosshairPos);
  }

  fit() {
    this.#zoomed = 1;
    this.#center([0.5, 0.5, 0.5]);
  }

  /** Cut the slices through a point, and move the views where it is not in sight. */
  bringIntoSight(point) {
    if (!this.isOpen || point.at === null) return;
    const frac = this.#fracOf(point.at);
    this.#nv.scene.crosshairPos = frac;
    if (this.#tiles().every((tile) => this.#isIn(tile, this.#screenOf(tile, frac)))) this.#render();
    else this.#center(frac);
  }

  focus() {
    this.container.focus({ preventScroll: true });
  }

  get hasFocus() {
    return this.container.contains(document.activeElement);
  }

  /** Where the lines cross, in pixels of the file. */
  get crosshair() {
    return this.#indexOf(this.#nv.scene.crosshairPos);
  }

  /** A place so many voxels to the right, down and further through the framed view, within the volume. */
  stepped(at, right, down, through) {
    const { across, up, through: depth } = VIEWS[this.#active];
    const tile = this.#tiles().find((one) => one.kind === this.#active);
    const ways = { [across]: tile?.isMirrored ? -right : right, [up]: -down, [depth]: through };
    const moved = at.map((value, axis) => value + this.#steps.reduce((sum, step, n) => sum + ways[n] * step[axis], 0));
    return inside(moved, this.about.size);
  }

  // ---- places -------------------------------------------------------------------------------------------------------

  #fracOf(at) {
    return [...this.#nv.mm2frac(apply(this.about.affine, at), 0, true)];
  }

  #indexOf(frac) {
    const [x, y, z] = this.#nv.frac2mm(frac, 0, true);
    return inside(apply(this.#toIndex, [x, y, z]), this.about.size);
  }

  #slices(axis) {
    return this.#nv.volumes[0].dimsRAS[axis + 1];
  }

  #stepOf(axis) {
    return [0.5, 0.5, 0.5].map((value, each) => (each === axis ? value + 1 / this.#slices(axis) : value));
  }

  /** The views as they are on the screen, in CSS pixels. */
  #tiles() {
    if (!this.isOpen) return [];
    const perPixel = this.#canvas.width / this.#canvas.clientWidth;
    return this.#nv.screenSlices
      .filter((slice) => slice.axCorSag < VIEWS.length)
      .map(({ axCorSag: kind, leftTopWidthHeight: [left, top, width, height], leftTopMM: low, fovMM: extent }) => ({
        kind,
        isTurned: width < 0,
        isMirrored: width < 0 !== extent[0] < 0,
        left: Math.min(left, left + width) / perPixel,
        top: top / perPixel,
        width: Math.abs(width) / perPixel,
        height: height / perPixel,
        low,
        extent,
      }));
  }

  #isIn({ left, top, width, height }, [x, y]) {
    return x >= left && x <= left + width && y >= top && y <= top + height;
  }

  #screenOf(tile, frac) {
    const mm = this.#nv.frac2mm(frac); // along the axes of the views
    const { across, up } = VIEWS[tile.kind];
    const u = (mm[across] - tile.low[0]) / tile.extent[0];
    const v = (mm[up] - tile.low[1]) / tile.extent[1];
    return [tile.left + (tile.isTurned ? 1 - u : u) * tile.width, tile.top + (1 - v) * tile.height];
  }

  /** The place under a pixel of the screen, in the depth of another place. */
  #fracAt(tile, [x, y], base) {
    const { across, up } = VIEWS[tile.kind];
    const mm = [...this.#nv.frac2mm(base)].slice(0, 3);
    const u = (x - tile.left) / tile.width;
    mm[across] = tile.low[0] + (tile.isTurned ? 1 - u : u) * tile.extent[0];
    mm[up] = tile.low[1] + (1 - (y - tile.top) / tile.height) * tile.extent[1];
    const there = this.#nv.mm2frac(mm);
    const frac = [...base];
    for (const axis of [across, up]) frac[axis] = Math.min(Math.max(there[axis], 0), 1);
    return frac;
  }

  #mouse(event) {
    const box = this.svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #tileAt(event) {
    return this.#tiles().find((tile) => this.#isIn(tile, this.#mouse(event)));
  }

  /** Put a place into the middle of the views, as far as they are zoomed. */
  #center(frac) {
    const middle = this.#nv.frac2mm([0.5, 0.5, 0.5]);
    const place = this.#nv.frac2mm(frac);
    const pan = [0, 1, 2].map((axis) => (this.#zoomed === 1 ? 0 : middle[axis] - place[axis] * this.#zoomed));
    this.#nv.setPan2Dxyzmm([...pan, this.#zoomed]);
    this.#render();
  }

  // ---- drawing ------------------------------------------------------------------------------------------------------

  /** What is drawn of a view: lines and marks, cut off where it ends, in a frame. */
  #layerOf({ name }) {
    const clip = element("clipPath", { id: `clip-${name}` }, this.svg);
    const view = element("g", { class: name, "clip-path": `url(#clip-${name})` }, this.svg);
    return {
      hole: element("rect", {}, clip),
      lines: [0, 1].map(() => element("line", { class: "cross" }, view)),
      marks: element("g", {}, view),
      frame: element("rect", { class: "frame" }, this.svg),
    };
  }

  #make(points) {
    for (const [kind, { marks }] of this.#layers.entries()) {
      marks.replaceChildren();
      const radii = element("g", {}, marks);
      this.#marks[kind] = new Map(points.map((point) => [point.index, makeMark(point, marks, radii)]));
    }
  }

  #render() {
    if (!this.isOpen) return;
    this.#nv.drawScene();
    this.#draw();
  }

  #draw() {
    this.svg.style.display = this.isOpen ? "" : "none";
    for (const tile of this.#tiles()) {
      const { left, top, width, height, kind } = tile;
      const layer = this.#layers[kind];
      for (const box of [layer.hole, layer.frame]) setAttributes(box, { x: left, y: top, width, height });
      layer.frame.classList.toggle("active", kind === this.#active);
      const [x, y] = this.#screenOf(tile, this.#nv.scene.crosshairPos);
      setAttributes(layer.lines[0], { x1: x, x2: x, y1: top, y2: top + height });
      setAttributes(layer.lines[1], { x1: left, x2: left + width, y1: y, y2: y });
      for (const point of this.#points) this.#drawPoint(tile, point);
      const chosen = this.#marks[kind].get(this.#chosen)?.group;
      if (chosen && layer.marks.lastChild !== chosen && !this.#drag) layer.marks.append(chosen); // on top of the others
    }
  }

  #drawPoint(tile, point) {
    const mark = this.#marks[tile.kind].get(point.index);
    const isDragged = this.#drag?.index === point.index;
    const isElsewhere = isDragged && this.#drag.at !== null;
    const at = isElsewhere ? this.#drag.at : point.at;
    const isChosen = point.index === this.#chosen;
    const frac = at && this.#fracOf(at);
    const { through } = VIEWS[tile.kind];
    const away = at ? Math.abs(frac[through] - this.#nv.scene.crosshairPos[through]) * this.#slices(through) : Infinity;
    const isThere = at !== null && (away < NEAR || isChosen);
    mark.group.style.display = isThere ? "" : "none";
    mark.radius.style.display = "none";
    if (!isThere) return;
    const states = { moved: point.moved || isElsewhere, chosen: isChosen, dragged: isDragged };
    setStates(mark, { ...states, near: away > 0.51 && away < NEAR, far: away >= NEAR });
    const [x, y] = this.#screenOf(tile, frac);
    mark.group.setAttribute("transform", `translate(${x} ${y})`);
    if (!point.radius) return;
    const scale = tile.width / Math.abs(tile.extent[0]); // screen pixels per mm
    const depth = this.#nv.frac2mm(frac)[through] - this.#nv.frac2mm(this.#nv.scene.crosshairPos)[through];
    const ball = point.radius.px * this.#mmPerVoxel; // the file's mm, whatever scale the radius is told in
    const r = Math.sqrt(Math.max(ball ** 2 - depth ** 2, 0)) * scale; // where the slice cuts it
    mark.radius.style.display = r > 0 ? "" : "none";
    setAttributes(mark.radius, { cx: x, cy: y, r });
  }

  // ---- mouse --------------------------------------------------------------------------------------------------------

  #take(event) {
    if (event.button !== 0 || !this.isOpen) return;
    const tile = this.#tileAt(event);
    if (!tile) return;
    event.preventDefault();
    this.focus();
    this.#active = tile.kind;
    const [x, y] = this.#mouse(event);
    const held = { kind: tile.kind, pointer: event.pointerId, x, y, dx: 0, dy: 0, index: null, at: null, isFar: false };
    const group = event.target.closest(".point");
    if (group) {
      const index = Number(group.dataset.index);
      this.actions.choose(index); // the slices now lie through it
      const frac = this.#fracOf(this.#points.find((one) => one.index === index).at);
      const place = this.#screenOf(this.#tiles().find((one) => one.kind === tile.kind), frac);
      // held where it was taken, the point does not jump to the mouse, unless the view did
      const isHeld = this.#isIn({ left: x - 14, top: y - 14, width: 28, height: 28 }, place);
      Object.assign(held, { index, frac, ...(isHeld ? { dx: place[0] - x, dy: place[1] - y } : {}) });
    }
    this.#drag = held;
    this.svg.setPointerCapture(event.pointerId);
    if (!group) this.#lookAt(event);
    this.#draw();
  }

  #pull(event) {
    const tile = this.#drag ? this.#tiles().find((one) => one.kind === this.#drag.kind) : this.#tileAt(event);
    if (!tile) return this.actions.hover(null);
    if (this.#drag?.pointer !== event.pointerId) {
      return this.actions.hover(this.#indexOf(this.#fracAt(tile, this.#mouse(event), this.#nv.scene.crosshairPos)));
    }
    const [x, y] = this.#mouse(event);
    this.#drag.isFar ||= Math.hypot(x - this.#drag.x, y - this.#drag.y) > QUICK;
    if (this.#drag.index === null) return this.#lookAt(event);
    const frac = this.#fracAt(tile, [x + this.#drag.dx, y + this.#drag.dy], this.#drag.frac);
    this.#drag.at = this.#indexOf(frac);
    this.#nv.scene.crosshairPos = frac; // the other views follow
    this.actions.hover(this.#drag.at);
    this.#render();
  }

  #drop(event) {
    if (this.#drag?.pointer !== event.pointerId) return;
    const { index, at, isFar } = this.#drag;
    this.#drag = null;
    if (event.type === "pointerup") {
      if (index === null && !isFar) this.actions.place(this.crosshair);
      else if (index !== null && at !== null) this.actions.move(index, at);
    }
    this.#draw();
  }

  /** Cut the other slices through the place under the mouse. */
  #lookAt(event) {
    const tile = this.#tiles().find((one) => one.kind === this.#drag.kind);
    this.#nv.scene.crosshairPos = this.#fracAt(tile, this.#mouse(event), this.#nv.scene.crosshairPos);
    this.actions.hover(this.crosshair);
    this.#render();
  }

  #scroll(event) {
    const tile = this.#tileAt(event);
    event.preventDefault();
    if (!tile || this.#drag) return;
    this.#active = tile.kind;
    if (event.ctrlKey) return this.zoom(event.deltaY < 0 ? 1.25 : 1 / 1.25);
    const { through } = VIEWS[tile.kind];
    const frac = [...this.#nv.scene.crosshairPos];
    const edge = 0.5 / this.#slices(through);
    const next = frac[through] - Math.sign(event.deltaY) / this.#slices(through);
    frac[through] = Math.min(Math.max(next, edge), 1 - edge);
    this.#nv.scene.crosshairPos = frac;
    this.#render();
  }
}
