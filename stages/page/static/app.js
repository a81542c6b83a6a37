// The page: asks the server of this computer, shows what it answers. Every text is put in as text, never as HTML.

import { Viewer, rgb } from "./viewer.js";

const $ = id => document.getElementById(id);
const EXAMPLE_LABELS = "chair, table, lamp, sofa, bed, mug, guitar, plant, bicycle, car";
const ACTIONS = "form button, #choose, #example, #another";  // what waits for the server
const state = { about: null, object: null, up: "", viewer: null, waiting: 0, last: Promise.resolve() };

// ---- asking the server ------------------------------------------------------------------------------------------

async function ask(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Error("The server does not answer: is `pointclip serve` still running?");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Error(told.error || `The server answered ${answer.status}.`);
}

const json = async (address, options) => (await ask(address, options)).json();

const post = (address, body) =>
  json(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** Run `work` after what runs already, with the busy signs on; an error becomes the one line above the content. */
function busily(what, work) {
  state.waiting += 1;
  showBusy(what);
  state.last = state.last.then(async () => {
    showBusy(what);
    $("error").hidden = true;
    try {
      await work();
    } catch (error) {
      $("error").textContent = error.message;
      $("error").hidden = false;
      $("error").scrollIntoView({ block: "nearest" });
    }
    state.waiting -= 1;
    showBusy("");
  });
  return state.last;
}

/** Buttons keep the focus while they do nothing, which `disabled` would take from them. */
function showBusy(what) {
  const busy = state.waiting > 0;
  $("progress").hidden = !busy;
  document.body.setAttribute("aria-busy", busy);
  $("status").textContent = busy ? what || $("status").textContent : "";
  for (const button of document.querySelectorAll(ACTIONS)) button.setAttribute("aria-disabled", busy);
}

// ---- an object --------------------------------------------------------------------------------------------------

function upload(file) {
  const { most_bytes: most } = state.about;
  return busily(`Reading ${file.name} …`, async () => {
    if (file.size > most) throw new Error(`${file.name}: ${megabytes(file.size)}, expected at most ${megabytes(most)}`);
    const headers = { "Content-Type": "application/octet-stream" };
    const body = await file.arrayBuffer();
    state.object = await json(`api/objects?name=${encodeURIComponent(file.name)}`, { method: "POST", headers, body });
    $("up").value = state.about.ups[0];
    describe(state.object);
    await showShape();
    await nameIt();
  });
}

function describe(object) {
  $("start").hidden = true;
  $("object").hidden = false;
  $("like").hidden = !state.about.library;
  $("name").textContent = object.name;
  $("facts").textContent = [
    object.faces ? `mesh, ${count(object.faces, "triangle")}` : `cloud, ${count(object.vertices, "point")}`,
    object.extent.map(size => Number(size.toPrecision(3))).join(" × "),
  ].join(" · ");
  $("notes").replaceChildren(...object.notes.map(note => made("li", note)));
  $("canvas").setAttribute("aria-label", `${object.name} in 3D`);
  for (const answer of ["scores", "shares"]) $(answer).replaceChildren();
  $("name").focus({ preventScroll: true });  // where the button was that is hidden now
}

/** Fetch the shape and its depth maps as they stand with the chosen axis up. */
async function showShape() {
  const { id } = state.object, up = state.up = $("up").value;
  const bytes = await (await ask(`api/objects/${id}/shape?up=${up}`)).arrayBuffer();
  const [points, vertices, faces] = new Uint32Array(bytes, 0, 3);
  const at = [12, 12 + 12 * points, 12 + 12 * (points + vertices)];
  drawing("surface").disabled = !faces;
  viewer()?.show({
    points: new Float32Array(bytes, at[0], 3 * points),
    vertices: new Float32Array(bytes, at[1], 3 * vertices),
    faces: new Uint32Array(bytes, at[2], 3 * faces),
  });
  draw(faces ? "surface" : "points");
  const { maps } = await json(`api/objects/${id}/maps?up=${up}`);
  $("maps").replaceChildren(...maps.map((map, n) => {
    const button = made("button"), picture = made("img");
    picture.src = map.picture;
    picture.alt = `Depth map ${n + 1}: ${map.view.replace("_", " ")}`;
    button.type = "button";
    button.title = "Look from here";
    button.append(picture);
    button.addEventListener("click", () => state.viewer?.lookFrom(map.from));
    return button;
  }));
}

function viewer() {
  try {
    state.viewer ??= new Viewer($("canvas"));
  } catch {
    $("canvas").hidden = true;
    $("no-viewer").hidden = false;
  }
  return state.viewer;
}

// ---- questions --------------------------------------------------------------------------------------------------

async function nameIt() {
  const asked = { labels: names($("labels").value), up: state.up };
  const told = await post(`api/objects/${state.object.id}/labels`, asked);
  $("scores").replaceChildren(
    bars(told.best.map(([name, share]) => ({ name, share }))),
    ...told.notes.map(note => made("p", note, "muted")),
  );
}

async function colourParts() {
  const asked = { parts: names($("parts").value), category: $("category").value.trim(), up: state.up };
  const told = await post(`api/objects/${state.object.id}/parts`, asked);
  $("shares").replaceChildren(bars(told.parts), ...told.notes.map(note => made("p", note, "muted")));
  const colours = told.parts.map(part => rgb(part.colour).map(value => Math.round(255 * value)));
  const labels = new Uint16Array(Uint8Array.from(atob(told.points), letter => letter.charCodeAt(0)).buffer);
  state.viewer?.colourPoints(Uint8Array.from([...labels].flatMap(label => colours[label])));
  draw("points");
}

async function search(query) {
  const { hits, nothing_matches: nothing } = await json(`api/search?${new URLSearchParams(query)}`);
  const list = made("ol", "", "results");
  list.append(...hits.map(hit => {
    const below = !nothing && !hit.matches, item = made("li", "", below ? "below" : ""), picture = made("img");
    picture.src = hit.picture;
    picture.alt = "";
    item.append(picture, made("span", hit.name), made("span", `${hit.score.toFixed(3)}${below ? " · no match" : ""}`, "muted"));
    return item;
  }));
  $("found").replaceChildren(...(nothing ? [made("p", "Nothing matches well enough; these are the nearest.")] : []), list);
}

// ---- pieces -----------------------------------------------------------------------------------------------------

function bars(rows) {
  const list = made("dl", "", "scores"), most = Math.max(...rows.map(row => row.share));
  for (const { name, share, colour } of rows) {
    const term = made("dt", "", share === most ? "best" : ""), value = made("dd");
    const track = made("span", "", "track"), fill = made("span", "", "fill");
    if (colour) {
      term.append(made("span", "", "swatch"));
      term.firstChild.style.background = fill.style.background = colour;
    }
    term.append(name);
    fill.style.width = `${100 * share}%`;
    track.append(fill);
    value.append(track, made("span", `${(100 * share).toFixed(1)} %`, "number"));
    list.append(term, value);
  }
  return list;
}

function made(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

const drawing = what => document.querySelector(`input[name=draw][value=${what}]`);

function draw(what) {
  drawing(what).checked = true;
  state.viewer?.drawSurface(what === "surface");
}

const names = text => text.split(/[,\n]/).map(name => name.trim()).filter(Boolean);
const count = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
const megabytes = bytes => `${(bytes / 2 ** 20).toFixed(0)} MB`;

/** A chair of eight boxes as an OBJ file. */
function exampleFile() {
  const boxes = [[0, 0.45, 0, 0.5, 0.06, 0.5], [0, 0.62, -0.22, 0.5, 0.05, 0.04], [0, 0.9, -0.22, 0.5, 0.22, 0.04]];
  for (const x of [-0.21, 0.21]) {
    boxes.push([x, 0.22, 0.21, 0.06, 0.44, 0.06], [x, 0.22, -0.21, 0.06, 0.44, 0.06], [x, 0.74, -0.22, 0.06, 0.54, 0.05]);
  }
  const faces = ["0132", "4675", "0451", "2376", "0264", "1573"], lines = [];
  boxes.forEach(([x, y, z, wide, high, deep], box) => {
    for (let n = 0; n < 8; n++) {
      const at = [x + wide * ((n & 1) - 0.5), y + high * (((n >> 1) & 1) - 0.5), z + deep * ((n >> 2) - 0.5)];
      lines.push(`v ${at.join(" ")}`);
    }
    for (const face of faces) lines.push(`f ${[...face].map(corner => 8 * box + Number(corner) + 1).join(" ")}`);
  });
  return new File([lines.join("\n")], "example chair.obj");
}

// ---- what a person does -----------------------------------------------------------------------------------------

function listen() {
  addEventListener("click", event => {
    if (!event.target.closest("[aria-disabled=true]")) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  $("choose").addEventListener("click", () => $("file").click());
  $("another").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => {
    const [file] = $("file").files;
    if (file) upload(file);
    $("file").value = "";
  });
  $("example").addEventListener("click", () => {
    $("category").value = "chair";
    $("parts").value = "back, seat, leg";
    upload(exampleFile());
  });
  for (const name of ["dragover", "dragleave", "drop"]) {
    addEventListener(name, event => {
      event.preventDefault();
      document.body.classList.toggle("dropping", name === "dragover");
    });
  }
  addEventListener("drop", event => {
    const [file] = event.dataTransfer.files;
    if (file && !state.waiting) upload(file);
  });
  for (const choice of document.querySelectorAll("input[name=draw]"))
    choice.addEventListener("change", () => state.viewer?.drawSurface(choice.value === "surface"));
  $("up").addEventListener("change", () => busily("Turning …", async () => {
    if ($("up").value === "guess") $("up").value = (await json(`api/objects/${state.object.id}/upright`)).up;
    $("shares").replaceChildren();
    await showShape();
    await nameIt();
  }));
  const forms = {
    "labels-form": () => busily("Asking CLIP …", nameIt),
    "parts-form": () => busily("Looking at every point …", colourParts),
    "search-form": () => busily("Searching …", () => search({ words: $("words").value })),
  };
  for (const [form, work] of Object.entries(forms)) {
    $(form).addEventListener("submit", event => {
      event.preventDefault();
      if (!state.waiting) work();
    });
  }
  $("labels").addEventListener("keydown", event => {
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      $("labels-form").requestSubmit();
    }
  });
  $("like").addEventListener("click", () => busily("Searching …", () =>
    search({ like: state.object.id, up: state.up })));
}

function begin() {
  return busily("Loading the model …", async () => {
    state.about = await json("api/about");
    const { formats, most_bytes: most, ups, library, backbone } = state.about;
    $("formats").textContent = `${formats.map(format => format.slice(1)).join(", ")}; also with .gz; up to ${megabytes(most)}`;
    $("file").accept = [...formats, ".gz"].join(",");
    $("up").replaceChildren(...[...ups, "guess"].map(up => made("option", up)));
    $("about").textContent = backbone === "bundled"
      ? "Weights: bundled. It was trained on 200 names of things; --backbone vit_b16 knows more."
      : `Weights: ${backbone}`;
    $("search").hidden = !library;
    $("search-title").textContent = `Find among ${count(library, "object")}`;
    listen();
  });
}

$("labels").value = EXAMPLE_LABELS;
begin();
