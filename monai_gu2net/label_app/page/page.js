// Copyright (c) the monai_gu2net authors
// SPDX-License-Identifier: Apache-2.0
// What the reader does, and what follows.

import { apply } from "./affine.js";
import { fromMarkups, toMarkups } from "./markups.js";
import { PlaneView } from "./plane_view.js";
import { History, inOrder, pointsOfLabel, pointsOfResponse } from "./points.js";
import * as server from "./server.js";
import { VolumeView } from "./volume_view.js";

const $ = (id) => document.getElementById(id);
const history = new History();
const ACTIONS = { choose, move, place, hover, windowed };
const planes = new PlaneView($("viewer"), ACTIONS);
const volumes = new VolumeView($("volume"), ACTIONS);
let view = planes; // of the two the one that shows the image
let models = {};
let labels = new Map(); // what is known of the final label, or null, by image
let current = null; // {id, about, isSaved}
let chosen = null;
let busy = false;

// ---- messages -------------------------------------------------------------------------------------------------------

function say(text) {
  $("notice").textContent = text;
}

function complain(text) {
  $("alert-text").textContent = text;
  $("alert").hidden = false;
}

/** Do something that takes time; nothing else is done meanwhile, and a refusal is shown in full. */
async function during(text, work) {
  if (busy) return false;
  busy = true;
  $("alert").hidden = true;
  $("busy-text").textContent = text;
  $("busy").hidden = false;
  say("");
  update();
  try {
    await work();
    return true;
  } catch (error) {
    complain(error.message);
    return false;
  } finally {
    busy = false;
    $("busy").hidden = true;
    update();
  }
}

// ---- images and labels ----------------------------------------------------------------------------------------------

function model() {
  return $("model").value;
}

/** The domain of a model that has several; null where the model's own is meant. */
function domain() {
  return $("domain-row").hidden ? null : $("domain").value;
}

function modelLandmarks() {
  const labels = models[model()]?.labels ?? [];
  return Array.isArray(labels) ? labels : Object.keys(labels).sort((a, b) => labels[a] - labels[b]);
}

async function readState() {
  labels = await server.listImages();
  const done = [...labels.values()].filter((label) => label !== null).length;
  $("labelled").max = Math.max(labels.size, 1);
  $("labelled").value = done;
  $("count").textContent = `${done} of ${labels.size} labelled`;
  const options = [...labels].map(([id, label]) => new Option(`${label === null ? "\u2007 " : "\u2713 "}${id}`, id));
  $("image").replaceChildren(...(current ? [] : [new Option("", "")]), ...options);
  $("image").value = current?.id ?? "";
}

async function openImage(id) {
  current = null;
  chosen = null;
  history.start([]);
  view.close();
  const about = await server.describeImage(id);
  const isVolume = about.size.length === 3;
  view = isVolume ? volumes : planes;
  $("viewer").hidden = isVolume;
  $("volume").hidden = !isVolume;
  document.body.classList.toggle("volume", isVolume);
  await view.open(isVolume ? await server.loadVolume(id) : server.imageUrl(id), about);
  current = { id, about, isSaved: false };
  const url = new URL(location.href);
  url.searchParams.set("image", id);
  window.history.replaceState(null, "", url);
  document.title = `${id} - landmarks`;
  setLimits(about);
  await readState();
  const label = labels.get(id) ?? null;
  const text = label === null ? null : await server.loadLabel(id);
  if (label?.domain) chooseModelOf(label.domain);
  const saved = text === null ? null : readLabel(text);
  if (saved === null) history.start(await preLabelled());
  else history.start(pointsOfLabel(saved, modelLandmarks()));
  current.isSaved = saved !== null;
  chosen = inOrder(history.points, $("order").value)[0] ?? null;
  if (isVolume && chosen !== null) view.bringIntoSight(pointOf(chosen));
  say(saved === null ? `Pre-labelled by ${model()}.` : "This is the saved label.");
  view.focus();
}

function readLabel(text) {
  try {
    return fromMarkups(text, current.about);
  } catch (error) {
    complain(`${error.message} The model's points are shown instead; a submit replaces the label.`);
    return null;
  }
}

async function preLabelled() {
  if (!model()) throw new Error("A server must have a model for a pre-label; it lists none. Start it with one.");
  return pointsOfResponse(await server.infer(model(), current.id, domain()));
}

function preLabel() {
  if (!current) return;
  during("Looking for the landmarks", async () => {
    const points = await preLabelled();
    if (history.changed || current.isSaved) history.take(points); // can be undone
    else history.start(points);
    keepChosen();
    say(`Pre-labelled by ${model()}.`);
  });
}

async function submit() {
  if (!current || !history.points.length) return false;
  const points = history.points;
  return during("Saving the label", async () => {
    const about = { model: model(), ...(domain() ? { domain: domain() } : {}) };
    await server.saveLabel(current.id, toMarkups(points, current.about), about);
    history.saved(points);
    current.isSaved = true;
    await readState();
    say(`Saved the label of ${current.id}.`);
  });
}

/** Whether an image may be left: its points are saved, or need not be. */
async function mayLeave() {
  if (!history.changed) return true;
  const dialog = $("unsaved");
  dialog.returnValue = "stay";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (dialog.returnValue === "submit") return submit();
  return dialog.returnValue === "discard";
}

async function goTo(findImage) {
  if (busy || !(await mayLeave())) {
    $("image").value = current?.id ?? "";
    return;
  }
  await during("Opening the image", async () => {
    const id = await findImage();
    if (id === null) throw new Error("There is no image without a label left for this strategy. Choose one in the list.");
    const isSame = id === current?.id;
    await openImage(id);
    if (isSame) say("The strategy chose this image again. Submit it, or choose another one in the list.");
  });
}

function next() {
  return goTo(() => server.nextSample($("strategy").value));
}

// ---- points ---------------------------------------------------------------------------------------------------------

function pointOf(index) {
  return history.points.find((point) => point.index === index) ?? null;
}

function keepChosen() {
  if (!pointOf(chosen)) chosen = history.points[0]?.index ?? null;
}

function choose(index) {
  chosen = index;
  update();
  const point = pointOf(index);
  if (point) view.bringIntoSight(point);
  document.querySelector("tr[aria-current=true]")?.scrollIntoView({ block: "nearest" });
}

function move(index, at) {
  if (busy) return;
  history.move(index, at);
  update();
}

function place(at) {
  if (pointOf(chosen)?.at === null) move(chosen, at);
}

function nudge(...steps) {
  const point = pointOf(chosen);
  if (!point || point.at === null) return;
  move(chosen, view.stepped(point.at, ...steps));
  view.bringIntoSight(pointOf(chosen));
}

/** Put the chosen point of a volume where the lines cross. */
function moveToCrosshair() {
  if (current && view === volumes && pointOf(chosen)) move(chosen, volumes.crosshair);
}

function setAbsent(index, isAbsent) {
  const point = pointOf(index);
  if (!point || busy) return;
  if (isAbsent && point.at !== null) move(index, null);
  chosen = index;
  if (!isAbsent) say("Click in the image to place the point.");
  update();
  if (!isAbsent) view.focus();
}

function step(by) {
  const order = inOrder(history.points, $("order").value);
  if (order.length) choose(order[(order.indexOf(chosen) + by + order.length) % order.length]);
}

function retrace(way) {
  if (!busy) history[way]();
  keepChosen();
  update();
}

const undo = () => retrace("undo");
const redo = () => retrace("redo");

// ---- what is seen ---------------------------------------------------------------------------------------------------

function update() {
  const points = history.points;
  view.show(points, chosen);
  const isChanged = history.changed;
  $("state").textContent = !current ? "" : isChanged ? "Changed" : current.isSaved ? "Saved" : "Not submitted";
  $("state").className = isChanged ? "changed" : current?.isSaved ? "saved" : "";
  $("submit").disabled = busy || !points.length;
  $("pre-label").disabled = busy || !current;
  $("next").disabled = $("image").disabled = busy;
  $("undo").disabled = busy || !history.canUndo;
  $("redo").disabled = busy || !history.canRedo;
  for (const id of ["zoom-in", "zoom-out", "fit", "window-reset", "level", "width"]) $(id).disabled = !current;
  const point = pointOf(chosen);
  $("hint").hidden = !current || busy || point?.at !== null || point === null;
  if (point) $("hint").textContent = `${point.name} is absent. Click to place it.`;
  const unit = points.find((one) => one.radius)?.radius.unit;
  $("radius-head").textContent = `90\u202f% ${unit ?? ""}`;
  fillList(points);
}

function fillList(points) {
  const order = inOrder(points, $("order").value);
  const body = $("points");
  const shownRows = new Map([...body.children].map((row) => [Number(row.dataset.index), row]));
  const rows = order.map((index) => shownRows.get(index) ?? makeRow(index));
  if (rows.length !== body.children.length || rows.some((row, at) => row !== body.children[at])) {
    body.replaceChildren(...rows);
  }
  for (const row of rows) {
    const point = pointOf(Number(row.dataset.index));
    row.classList.toggle("moved", point.moved && point.at !== null);
    row.classList.toggle("absent", point.at === null);
    row.setAttribute("aria-current", String(point.index === chosen));
    const [number, name, confidence, radius, absent] = row.children;
    number.textContent = point.index + 1;
    name.firstChild.textContent = point.name;
    const isMoved = point.moved ? "moved" : "";
    confidence.textContent = isMoved || (point.confidence === null ? "" : `${(100 * point.confidence).toFixed(0)} %`);
    radius.textContent = isMoved || point.at === null ? "" : (point.radius?.text ?? "");
    absent.firstChild.checked = point.at === null;
    absent.firstChild.setAttribute("aria-label", `${point.name} is absent`);
  }
}

function makeRow(index) {
  const row = document.createElement("tr");
  row.dataset.index = index;
  for (let cell = 0; cell < 5; cell += 1) row.append(document.createElement("td"));
  const name = document.createElement("button");
  name.addEventListener("click", () => {
    choose(index);
    view.focus();
  });
  row.children[1].append(name);
  const absent = document.createElement("input");
  absent.type = "checkbox";
  absent.addEventListener("change", () => setAbsent(index, absent.checked));
  row.children[4].append(absent);
  return row;
}

function hover(at) {
  const { size, affine, spacing } = current?.about ?? {};
  const isInside = current && at !== null && at.every((value, axis) => value >= -0.5 && value <= size[axis] - 0.5);
  if (!isInside) {
    $("position").textContent = "";
    return;
  }
  const text = (values, digits) => values.map((value) => value.toFixed(digits)).join(", ");
  const frame = size.length === 3 ? "mm RAS" : "mm";
  const mm = spacing ? `, ${text(apply(affine, at).slice(0, size.length), 2)} ${frame}` : "";
  $("position").textContent = `${text(at, 1)} px${mm}`;
}

function windowed([black, white]) {
  const text = (value) => (Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(0));
  $("level").value = (black + white) / 2;
  $("width").value = white - black;
  $("level-value").textContent = text((black + white) / 2);
  $("width-value").textContent = text(white - black);
}

function setLimits({ range: [lowest, highest], window: first, size, spacing, spacing_source: source }) {
  Object.assign($("level"), { min: lowest, max: highest });
  Object.assign($("width"), { min: (highest - lowest) / 256, max: highest - lowest });
  windowed(first);
  const scale = spacing ? `${spacing.map((mm) => Number(mm.toFixed(4))).join(" x ")} mm/px (${source})` : "no spacing";
  $("size").textContent = `${size.join(" x ")} px, ${scale}`;
}

function setWindowBySliders() {
  const level = Number($("level").value);
  const width = Number($("width").value);
  view.setWindow([level - width / 2, level + width / 2]);
}

function showDomains() {
  const choice = models[model()]?.config?.domain;
  const names = Array.isArray(choice) ? choice : [];
  $("domain-row").hidden = names.length < 2;
  $("domain").replaceChildren(...names.map((name) => new Option(name, name)));
}

/** The model, or the model's domain, whose landmarks a label has. */
function chooseModelOf(name) {
  const fitting = Object.keys(models).find((each) => [models[each].config?.domain].flat().includes(name));
  if (!fitting) return;
  $("model").value = fitting;
  showDomains();
  if (domain() !== null) $("domain").value = name;
}

// ---- keyboard -------------------------------------------------------------------------------------------------------

const STEPS = {
  ArrowLeft: [-1, 0, 0],
  ArrowRight: [1, 0, 0],
  ArrowUp: [0, -1, 0],
  ArrowDown: [0, 1, 0],
  PageUp: [0, 0, 1],
  PageDown: [0, 0, -1],
};
const KEYS = {
  n: next,
  s: submit,
  p: preLabel,
  z: undo,
  y: redo,
  m: moveToCrosshair,
  w: () => current && view.setWindow(current.about.window),
  0: () => current && view.fit(),
  "+": () => current && view.zoom(1.5),
  "=": () => current && view.zoom(1.5),
  "-": () => current && view.zoom(1 / 1.5),
  Delete: () => setAbsent(chosen, true),
  Backspace: () => setAbsent(chosen, true),
};

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("select, input[type=range], dialog");
  const isUndo = (event.ctrlKey || event.metaKey) && "zy".includes(event.key.toLowerCase());
  if (isTyping || event.altKey || ((event.ctrlKey || event.metaKey) && !isUndo)) return;
  if (event.key === "Tab" && !view.hasFocus) return; // elsewhere it goes from one control to the next
  if (event.key === "Escape" && view.hasFocus) $("submit").focus();
  else if (event.key === "Tab") step(event.shiftKey ? -1 : 1);
  else if (event.key in STEPS) nudge(...STEPS[event.key].map((way) => way * (event.shiftKey ? 0.1 : 1)));
  else {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = key === "z" && event.shiftKey ? redo : KEYS[key];
    if (!action) return;
    action();
  }
  event.preventDefault();
});

// ---- start ----------------------------------------------------------------------------------------------------------

const CLICKS = {
  submit,
  next,
  "pre-label": preLabel,
  undo,
  redo,
  "zoom-in": KEYS["+"],
  "zoom-out": KEYS["-"],
  fit: KEYS[0],
  "window-reset": KEYS.w,
};
for (const [id, action] of Object.entries(CLICKS)) $(id).addEventListener("click", () => action());
$("alert-close").addEventListener("click", () => ($("alert").hidden = true));
$("image").addEventListener("change", () => {
  const id = $("image").value;
  if (id) goTo(async () => id);
});
for (const id of ["level", "width"]) $(id).addEventListener("input", setWindowBySliders);
$("order").addEventListener("change", update);
$("circles").addEventListener("change", () => {
  for (const each of [planes, volumes]) each.setCircles($("circles").checked);
});
for (const id of ["model", "domain"]) {
  $(id).addEventListener("change", () => {
    if (id === "model") showDomains();
    if (current && !history.changed && !current.isSaved) preLabel();
  });
}
window.addEventListener("beforeunload", (event) => {
  if (history.changed) event.preventDefault();
});

/** Uncertainty first: the strategy that the annotator's time is best spent with. */
function firstStrategy(names) {
  return names.find((name) => /uncertain|epistemic/i.test(name)) ?? names.find((name) => name === "first") ?? names[0];
}

await during("Asking the server", async () => {
  const info = await server.appInfo();
  models = info.models ?? {};
  $("model").replaceChildren(...Object.keys(models).map((name) => new Option(name, name)));
  const strategies = Object.keys(info.strategies ?? {});
  $("strategy").replaceChildren(...strategies.map((name) => new Option(name, name)));
  if (strategies.length) $("strategy").value = firstStrategy(strategies);
  showDomains();
  await readState();
  const asked = new URL(location.href).searchParams.get("image");
  const id = asked ?? (await server.nextSample($("strategy").value)) ?? [...labels.keys()][0];
  if (id === undefined) throw new Error("The datastore must have images; it has none. Put some into its folder.");
  await openImage(id);
});
document.body.dataset.ready = "";
