// Copyright (c) the monai_gu2net authors
// SPDX-License-Identifier: Apache-2.0
// MONAI Label's REST interface, as far as the page needs it. Every failure is an Error whose message is for the reader.

const root = new URL("../", document.baseURI); // the page is at gu2net/ of the server
const CLIENT = "gu2net-page";

async function ask(method, path, { query = {}, body, missing } = {}) {
  const url = new URL(path, root);
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
  const isForm = body instanceof FormData;
  const headers = body && !isForm ? { "Content-Type": "application/json" } : {};
  let response;
  try {
    response = await fetch(url, { method, headers, body: body && !isForm ? JSON.stringify(body) : body });
  } catch (error) {
    throw new Error(`The server does not answer (${error.message}). See whether it runs, then try again.`);
  }
  if (response.status === missing) return null;
  if (!response.ok) throw new Error(await refusal(response));
  return response;
}

async function refusal(response) {
  const text = await response.text();
  let detail = text;
  try {
    detail = JSON.parse(text).detail ?? text;
  } catch {
    // not JSON: the text as it is
  }
  if (typeof detail !== "string") detail = JSON.stringify(detail, null, 1);
  return detail.trim() || `The server answered ${response.status} ${response.statusText}.`;
}

export async function appInfo() {
  return (await ask("GET", "info/")).json();
}

/** All images: Map of id to what is known of the final label (an object), or null where there is none. */
export async function listImages() {
  const content = await (await ask("GET", "datastore/", { query: { output: "all" } })).json();
  const entries = Object.entries(content.objects ?? {});
  return new Map(entries.map(([id, entry]) => [id, entry.labels?.final ? (entry.labels.final.info ?? {}) : null]));
}

/** The id of the next image by a strategy of active learning; null where there is none. */
export async function nextSample(strategy) {
  const response = await ask("POST", `activelearning/${encodeURIComponent(strategy)}`, { body: { client_id: CLIENT } });
  return (await response.json())?.id ?? null;
}

export async function describeImage(id) {
  return (await ask("GET", `gu2net/image/${encodeURIComponent(id)}.json`)).json();
}

export function imageUrl(id) {
  return new URL(`gu2net/image/${encodeURIComponent(id)}.png`, root).href;
}

/** The file of a volume as NIfTI. */
export async function loadVolume(id) {
  return (await ask("GET", `gu2net/image/${encodeURIComponent(id)}.nii`)).arrayBuffer();
}

export async function infer(model, id, domain) {
  const form = new FormData();
  form.set("params", JSON.stringify({ client_id: CLIENT, ...(domain ? { domain } : {}) }));
  const query = { image: id, output: "json" };
  const response = await (await ask("POST", `infer/${encodeURIComponent(model)}`, { query, body: form })).json();
  if (!Array.isArray(response?.landmarks)) {
    throw new Error(`A response of the model ${model} must hold "landmarks"; it does not. Choose another model.`);
  }
  return response;
}

/** The text of the final label of an image; null where there is none. */
export async function loadLabel(id) {
  const response = await ask("GET", "datastore/label", { query: { label: id, tag: "final" }, missing: 404 });
  return response && response.text();
}

export async function saveLabel(id, markups, about) {
  const form = new FormData();
  form.set("params", JSON.stringify({ client_id: CLIENT, ...about }));
  form.set("label", new Blob([JSON.stringify(markups, null, 1)], { type: "application/json" }), "label.mrk.json");
  return (await ask("PUT", "datastore/label", { query: { image: id, tag: "final" }, body: form })).json();
}
